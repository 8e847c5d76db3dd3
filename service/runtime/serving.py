"""Processes of `overread serve` on one machine, their sockets, and the messages to the person."""

import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from overread.errors import ConfigurationError
from overread.settings_file import FOLDER_VARIABLE
from service.dicom.settings import DicomSettings
from service.log import configure_logging
from service.maintenance.drift_settings import DriftSettings
from service.maintenance.retention import has_retention
from service.metrics import FOLDER_VARIABLE as METRICS_FOLDER_VARIABLE
from service.metrics import shared_folder
from service.notices.settings import NoticeSettings
from service.pacs.settings import PacsSettings
from service.results.settings import ResultsSettings
from service.runtime.listener_process import Protocol, check_listener, run_listener
from service.runtime.supervisor import ChildSpec, Supervisor
from service.security.identification import Entrance, local_identity
from service.security.settings import SecuritySettings
from service.settings import Settings, load_settings
from service.store.database import open_store
from service.store.people import accounts_are_kept
from service.watch.settings import WatchSettings, check_watch
from service.web.guard import access_for
from service.web.settings import WebSettings

_ASK_SECONDS = 60.0
_BACKLOG = 2048
# Where cores are short, a person's page goes before what machines send, and both before looks that can wait.
_NICENESS_OF_LISTENERS = 5
_NICENESS_OF_WORKERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Addresses to listen on; port 0 takes any free one."""

    host: str
    port: int
    stow_port: int
    dicom_port: int | None = None  # None: no C-STORE listener
    hl7_port: int | None = None  # None: no HL7 listener


def serve(addresses: Addresses, environ: Mapping[str, str], *, workers: int, api_processes: int = 1) -> None:
    """Run everything until SIGTERM or SIGINT, with the settings of an environment.

    Raises:
        ConfigurationError: an address cannot be bound or needs a token, a setting is wrong, or a process
            cannot be kept running.
    """
    configure_logging()
    settings = load_settings(environ)
    web = WebSettings.read(environ)
    open_words = _words_of_open_access(
        access_for(addresses.host, web.api_token, security=SecuritySettings.read(environ)).entrance, settings
    )
    _check_numbers(workers, api_processes)
    wanted = _wanted_listeners(addresses, environ)
    elsewhere = _with_others(environ)
    watching = check_watch(environ)
    open_store(settings).close()  # migrate once, before several processes would want to
    with ExitStack() as resources:
        api = resources.enter_context(_listen(addresses.host, addresses.port))
        stow = resources.enter_context(_listen(addresses.host, addresses.stow_port))
        listeners = {
            protocol: resources.enter_context(_listen(addresses.host, port))
            for protocol, port in wanted.items()
        }
        probes = [
            resources.enter_context(_listen(addresses.host, port))
            for port in (web.probe_port,)
            if port is not None
        ]
        environment = _environment(addresses.host, environ, settings, stow)
        for probe in probes:
            environment["OVERREAD_PROBE_PORT"] = str(probe.getsockname()[1])
        environment[METRICS_FOLDER_VARIABLE] = str(resources.enter_context(shared_folder()))
        specs = [
            *_api_children(api_processes, (api, *probes), environment),
            replace(_http_child("stow", (stow,), environment), niceness=_NICENESS_OF_LISTENERS),
            *(_listener_child(protocol, listener, environment) for protocol, listener in listeners.items()),
            *(_worker(number, environment) for number in range(1, workers + 1)),
            *_upkeep(settings, environment),
            *_drift_watch(environ, environment),
            *_watcher(watching, environment),
            *(_program(name, words, environment) for name, words in elsewhere.items()),
        ]
        lines = [*_listener_lines(listeners), *(f"Probes      {_url(probe)}/metrics" for probe in probes)]
        lines += open_words
        announcer = threading.Thread(
            target=_announce, args=(_url(api), _url(stow), settings, lines), name="announcer", daemon=True
        )
        announcer.start()
        Supervisor(specs, clock=time.monotonic).run()


def _check_numbers(workers: int, api_processes: int) -> None:
    if workers < 0:
        raise ConfigurationError("--workers must be 0 or more")
    if api_processes < 1:
        raise ConfigurationError("--api-processes must be 1 or more")


def _words_of_open_access(entrance: Entrance, settings: Settings) -> list[str]:
    """Return what to say where nobody need sign in; nothing where somebody must.

    Raises:
        ConfigurationError: others can reach the address, and nobody could be told from anybody.
    """
    has_accounts = accounts_are_kept(settings)
    entrance.require_a_way_in(has_accounts=has_accounts)
    if has_accounts or not entrance.may_be_open:
        return []
    name = local_identity().actor.display_name
    return [f"Signed in   everybody on this machine, as {name}; `overread users add` makes the first account"]


def _wanted_listeners(addresses: Addresses, environ: Mapping[str, str]) -> dict[Protocol, int]:
    """Return the port of each listener that is wanted, its settings checked."""
    ports = {Protocol.DICOM: addresses.dicom_port, Protocol.HL7: addresses.hl7_port}
    wanted = {protocol: port for protocol, port in ports.items() if port is not None}
    for protocol in wanted:
        check_listener(protocol, addresses.host, environ)
    return wanted


def receive(protocol: str, environ: Mapping[str, str], *, host: str, port: int) -> None:
    """Run one listener in this process until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: the address cannot be bound, a setting is wrong, or nobody has said who may send.
    """
    configure_logging()
    spoken = Protocol(protocol)
    check_listener(spoken, host, environ)
    with _listen(host, port) as listener:
        _say(f"overread listens for {_listener_lines({spoken: listener})[0].strip()}. Stop with Ctrl-C.")
        run_listener(spoken, listener, environ)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}): choose another with --host "
            "and the option for its port, or stop what listens there"
        ) from error


def _environment(
    host: str, environ: Mapping[str, str], settings: Settings, stow: socket.socket
) -> dict[str, str]:
    """Return what every child must know, so that all have the same settings, and none that were left out."""
    ours = {name: environ.get(name, "") for name in {*os.environ, *environ} if name.startswith("OVERREAD_")}
    return {
        **ours,
        "BENTOML_DO_NOT_TRACK": "True",
        FOLDER_VARIABLE: str(settings.data_folder),
        "OVERREAD_HOST": host,
        "OVERREAD_STOW_ADDRESS": _url(stow),
    }


def _api_children(
    count: int, listeners: tuple[socket.socket, ...], environment: dict[str, str]
) -> list[ChildSpec]:
    """Return processes of page and API that take the connections of the same sockets in turn."""
    first = _http_child("api", listeners, environment)
    return [first, *(replace(first, name=f"api-{number}") for number in range(2, count + 1))]


def _http_child(name: str, listeners: tuple[socket.socket, ...], environment: dict[str, str]) -> ChildSpec:
    descriptors = (str(listener.fileno()) for listener in listeners)
    return ChildSpec(
        name=name,
        command=(sys.executable, "-P", "-m", "service.runtime.http_process", name, *descriptors),
        listeners=listeners,
        environment=environment,
    )


def _listener_child(protocol: Protocol, listener: socket.socket, environment: dict[str, str]) -> ChildSpec:
    module = ("-m", "service.runtime.listener_process", protocol.value, str(listener.fileno()))
    return ChildSpec(
        name=protocol.value,
        command=(sys.executable, "-P", *module),
        listeners=(listener,),
        environment=environment,
        niceness=_NICENESS_OF_LISTENERS,
    )


def _listener_lines(listeners: Mapping[Protocol, socket.socket]) -> list[str]:
    """Return where the listeners are, a line each."""
    names = {Protocol.DICOM: "DICOM       {} (C-STORE)", Protocol.HL7: "HL7         {} (ORU^R01 over MLLP)"}
    return [
        names[protocol].format(_url(listener).removeprefix("http://"))
        for protocol, listener in listeners.items()
    ]


def _worker(number: int, environment: dict[str, str]) -> ChildSpec:
    command = (sys.executable, "-P", "-m", "overread", "worker")
    return ChildSpec(
        name=f"worker-{number}", command=command, environment=environment, niceness=_NICENESS_OF_WORKERS
    )


def _upkeep(settings: Settings, environment: dict[str, str]) -> list[ChildSpec]:
    """Return what removes pixels whose time is over, if the settings give any a time."""
    if not has_retention(settings):
        return []
    command = (sys.executable, "-P", "-m", "overread", "retain", "--daily")
    return [ChildSpec(name="retain", command=command, environment=environment)]


def _drift_watch(environ: Mapping[str, str], environment: dict[str, str]) -> list[ChildSpec]:
    """Return what compares the studies of late with those that are usual, if the settings say which are."""
    if DriftSettings.read(environ).period is None:
        return []
    return [replace(_program("drift", ("drift", "--daily"), environment), niceness=_NICENESS_OF_WORKERS)]


def _watcher(settings: WatchSettings, environment: dict[str, str]) -> list[ChildSpec]:
    """Return what takes files from the watched folder, if the settings name one."""
    if settings.folder is None:
        return []
    command = (sys.executable, "-P", "-m", "service.watch.process", str(settings.folder))
    return [ChildSpec(name="folder", command=command, environment=environment)]


def _program(name: str, words: tuple[str, ...], environment: dict[str, str]) -> ChildSpec:
    command = (sys.executable, "-P", "-m", "overread", *words)
    return ChildSpec(name=name, command=command, environment=environment)


def _with_others(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the commands that deal with other systems by themselves, by name.

    Raises:
        ConfigurationError: a system that the settings name cannot be reached by them.
    """
    dicom, fetching = DicomSettings.read(environ), PacsSettings.read(environ)
    if fetching.archive is not None:
        fetching.address(dicom)
    addresses = ResultsSettings.read(environ).addresses(dicom)
    wanted: dict[str, tuple[str, ...]] = {}
    if fetching.is_automatic:
        wanted["fetch"] = ("fetch", "automatic")
    if addresses:
        wanted["results"] = ("results", "send")
    if NoticeSettings.read(environ).require_authority().destinations:
        wanted["notices"] = ("notices", "send")
    return wanted


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(api: str, stow: str, settings: Settings, listeners: Sequence[str]) -> None:
    """Say where everything is, as soon as it answers: a request waits in the socket's queue until then."""
    for url in (api, stow):
        if not _answers(url):
            return  # stopped or given up meanwhile; the supervisor says why
    _say(_welcome(api, stow, settings, listeners))


def _answers(url: str) -> bool:
    """Wait until it answers, however long a busy machine takes; return whether it ever can."""
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health/live", timeout=_ASK_SECONDS):  # noqa: S310  # http only
                return True
        except TimeoutError:
            continue
        except (urllib.error.URLError, OSError):
            return False


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # this is the command's output


def _welcome(api: str, stow: str, settings: Settings, listeners: Sequence[str]) -> str:
    further = "".join(f"\n  {line}" for line in listeners)
    return f"""\
overread is ready.

  Worklist    {api}/
  API         {api}/docs
  DICOMweb    {stow}/studies (STOW-RS, QIDO-RS, WADO-RS){further}
  Data        {settings.data_folder}

Send a study and its report:
  curl -H 'Content-Type: multipart/related; type="application/dicom"' \\
    -F 'file=@image.dcm;type=application/dicom' {stow}/studies
  curl -H 'Content-Type: text/plain' --data-binary @report.txt \\
    '{api}/api/v1/reports?accession_number=ACCESSION'

Stop with Ctrl-C."""
