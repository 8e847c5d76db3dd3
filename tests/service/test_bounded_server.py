import pytest

from service.bounded_server import peer_of


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2::5", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_host_is_one_peer_whatever_address_it_calls_from(address: str, peer: str) -> None:
    assert peer_of(address) == peer
