"""Which headers of a reverse proxy are believed."""

import ipaddress

import pytest
from starlette.types import Scope

from service.web.forwarded import believe_proxy, came_from


def believed(client: str, *proxies: str, **headers: str) -> tuple[str, str]:
    scope: Scope = {
        "type": "http",
        "client": (client, 5),
        "scheme": "http",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    believe_proxy(scope, tuple(ipaddress.ip_network(proxy) for proxy in proxies))
    return scope["client"][0], scope["scheme"]


FOR = "x_forwarded_for"
PROTO = "x_forwarded_proto"


@pytest.mark.parametrize(
    ("client", "proxies", "headers", "expected"),
    [
        ("127.0.0.1", (), {FOR: "10.1.1.1", PROTO: "https"}, ("10.1.1.1", "https")),
        ("10.9.9.9", (), {FOR: "10.1.1.1", PROTO: "https"}, ("10.9.9.9", "http")),
        ("10.9.9.9", ("10.9.0.0/16",), {FOR: "10.1.1.1", PROTO: "https"}, ("10.1.1.1", "https")),
        ("127.0.0.1", ("10.9.0.0/16",), {FOR: "10.1.1.1"}, ("127.0.0.1", "http")),
        # What a client claims stands before what our proxy adds.
        ("127.0.0.1", (), {FOR: "127.0.0.1, 10.1.1.1"}, ("10.1.1.1", "http")),
        ("10.9.9.9", ("10.9.0.0/16",), {FOR: "1.2.3.4, 10.1.1.1, 10.9.8.8"}, ("10.1.1.1", "http")),
        ("127.0.0.1", (), {FOR: "10.1.1.1, nonsense"}, ("nonsense", "http")),
        ("127.0.0.1", (), {FOR: " , "}, ("127.0.0.1", "http")),
        ("127.0.0.1", (), {PROTO: "gopher"}, ("127.0.0.1", "http")),
        ("::ffff:127.0.0.1", (), {FOR: "10.1.1.1"}, ("10.1.1.1", "http")),
        ("::1", (), {FOR: "fd00::7"}, ("fd00::7", "http")),
    ],
)
def test_the_last_address_that_is_no_proxy_of_ours_is_the_client(
    client: str, proxies: tuple[str, ...], headers: dict[str, str], expected: tuple[str, str]
) -> None:
    assert believed(client, *proxies, **headers) == expected


def test_what_is_no_address_came_from_nowhere() -> None:
    everywhere = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

    assert not came_from({"type": "http", "client": ("nonsense", 0)}, everywhere)
    assert not came_from({"type": "http", "client": None}, everywhere)
