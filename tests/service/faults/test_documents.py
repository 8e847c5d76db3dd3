import httpx
import pytest

from service.application import make_app
from service.store.database import Store
from tests.service.faults.documents import Tally, post_all, take_account
from tests.service.web.listening import listening, opener

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [1])
def test_every_document_is_stored_quarantined_or_refused_by_the_table(
    sqlite_store: Store, number: int
) -> None:
    tally = Tally()
    with (
        listening(make_app(opener(sqlite_store), list)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        post_all(client, 200, number, tally)
    take_account(sqlite_store, tally)

    assert tally.is_perfect, "\n".join(tally.lines())
    assert tally.outcomes.total() >= 150
    assert {outcome.split()[0] for outcome in tally.outcomes} >= {"200", "201", "400", "422"}
