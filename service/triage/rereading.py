"""The language model that reads the sentences behind a flag again, as the settings name it."""

from models.language_model import ChatEndpoint
from overread.finding import load_vocabulary
from overread.report.reread import Rereader
from service.settings import Settings


def load_rereader(settings: Settings) -> Rereader | None:
    """Return who reads the sentences behind a flag again, None where the settings name no language model."""
    endpoint = settings.language_model
    return None if endpoint is None else Rereader(ChatEndpoint(endpoint), load_vocabulary())
