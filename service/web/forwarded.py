"""What a reverse proxy says of the request it passes on: from whom it came, and by which scheme."""

import ipaddress

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from service.network_settings import Network
from service.security.elsewhere import Named
from service.security.settings import SecuritySettings

_THIS_MACHINE: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def believe_proxy(scope: Scope, proxies: tuple[Network, ...]) -> None:
    """Let client and scheme of a request be what X-Forwarded-For and -Proto say, if a known proxy says it.

    Args:
        scope: of the request, as the socket has it.
        proxies: the known ones; none: those of this machine.
    """
    trusted = proxies or _THIS_MACHINE
    if not came_from(scope, trusted):
        return
    headers = Headers(scope=scope)
    scheme = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    if scheme in {"http", "https"}:
        scope["scheme"] = scheme
    # Each proxy adds whom it heard at the end: the last one that is no proxy of ours is the client.
    named = [part.strip() for value in headers.getlist("x-forwarded-for") for part in value.split(",")]
    for address in reversed(named):
        if not address:
            continue
        scope["client"] = (address, 0)
        if not came_from(scope, trusted):
            return


def named_in(request: Request, security: SecuritySettings) -> Named | None:
    """Return whom the headers of a proxy name; None where they are not asked for, or say nothing clear.

    A name that is there twice is not clear: a proxy that does not take away what a client sent would add its
    own beside it.
    """
    if security.proxy_user_header is None:
        return None
    users = request.headers.getlist(security.proxy_user_header)
    if len(users) != 1 or not users[0].strip():
        return None
    if security.proxy_groups_header is None:
        return Named(user=users[0], groups=None)
    lists = request.headers.getlist(security.proxy_groups_header)
    groups = frozenset(word.strip() for one in lists for word in one.split(","))
    return Named(user=users[0], groups=groups if len(lists) <= 1 else frozenset())


def came_from(scope: Scope, networks: tuple[Network, ...]) -> bool:
    """Whether whoever sent a request is in one of the networks; what is no address is in none."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0]) if client else None
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and any(address in network for network in networks)
