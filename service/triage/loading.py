"""The report reader and the detectors of a registry, put together."""

import structlog

from models.loaded_detectors import load_detectors
from models.registry import Registry
from models.stages import StageObserver
from overread.finding import load_vocabulary
from overread.report import load_reader
from service.metrics import observe_stage
from service.settings import Settings
from service.store.database import Store
from service.store.detector_registry import read_registry
from service.triage.looks import TriageTools
from service.triage.rereading import load_rereader

_log = structlog.get_logger("overread.worker")


def load_registered_tools(store: Store) -> TriageTools:
    """Return the report reader and the detectors of the registry, to look with in this process.

    Raises:
        ConfigurationError: the registry is malformed.
        ModelError: a release of the registry is missing on this machine, or altered.
    """
    stored = read_registry(store)
    return load_tools(stored.registry, store.settings, version=stored.version)


def load_tools(
    registry: Registry, settings: Settings, *, version: int | None, on_stage: StageObserver = observe_stage
) -> TriageTools:
    """Return the report reader and the detectors of a registry.

    Args:
        registry: names the detectors.
        settings: of the installation.
        version: of the registry.
        on_stage: is told how long the decoding and inference of each detector take.

    Raises:
        ModelError: a release of the registry is missing on this machine, or altered.
        ConfigurationError: a release needs packages that are not installed.
    """
    loaded = load_detectors(registry, settings.data_folder, on_stage=on_stage)
    for reason in loaded.unusable_shadows:
        _log.warning("shadow_unusable", reason=reason)
    return TriageTools(
        report_reader=load_reader(),
        rereader=load_rereader(settings),
        detectors=loaded.active,
        shadows=loaded.shadows,
        vocabulary=load_vocabulary(),
        registry_version=version,
    )
