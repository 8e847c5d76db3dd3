"""Addresses: the host that a request names, and where DICOMweb resources are for whoever asks."""

import re
from urllib.parse import urlsplit

from starlette.requests import Request

_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]*)(:[0-9]*)?"
)  # RFC 3986 section 3.2.2, as far as used


def split_host(host: str) -> tuple[str, int | None]:
    """Return name and port of a Host header (RFC 9110 section 7.2); the name is empty where there is none.

    Raises:
        ValueError: it is malformed, such as "[" or "name:99999".
    """
    if not _HOST.fullmatch(host):  # anything else would be taken for a path, a query or a user by urlsplit
        raise ValueError(host)
    parts = urlsplit(f"//{host}")
    return parts.hostname or "", parts.port


def base_url(request: Request) -> str:
    """Return the address before "/studies": as it was set, else as the request was addressed.

    Some clients leave the port out of the Host header (dicomweb-client 0.61 does); unless a proxy is between
    that has another one, it is that of our socket.
    """
    stated: str | None = request.app.state.public_url
    if stated is not None:
        return stated.rstrip("/")
    address = request.base_url
    _, port = request.scope.get("server") or ("", None)
    proxied = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    _, stated_port = split_host(request.headers.get("host", ""))
    if stated_port is None and port is not None and not proxied:
        address = address.replace(port=port)
    return str(address).rstrip("/")


def study_address(base: str, study_instance_uid: str) -> str:
    """Return where a study is retrieved."""
    return f"{base}/studies/{study_instance_uid}"


def instance_address(
    base: str, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str
) -> str:
    """Return where an instance is retrieved."""
    study = study_address(base, study_instance_uid)
    return f"{study}/series/{series_instance_uid}/instances/{sop_instance_uid}"
