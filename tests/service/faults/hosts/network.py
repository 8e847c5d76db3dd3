"""Hosts with addresses of their own on one wire: network namespaces of the kernel, joined by a bridge.

Takes root and iproute2. The test itself stands on the same wire.
"""

import ipaddress
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

MISSING = "hosts need root and network namespaces (Debian package iproute2)"
_ALL = ipaddress.ip_network("10.64.0.0/10")  # of which each network has 256 addresses, by our pid


@dataclass(frozen=True, kw_only=True)
class Network:
    """Named hosts; each a namespace."""

    prefix: str  # of the namespaces, so that several networks can be on one machine
    hosts: tuple[str, ...]
    wire: ipaddress.IPv4Network

    def address(self, host: str) -> str:
        """Return the IPv4 address of a host."""
        return str(self.wire[10 + self.hosts.index(host)])

    def command(self, host: str, words: Sequence[str]) -> list[str]:
        """Return the command that runs another one on a host."""
        return ["ip", "netns", "exec", self.namespace(host), *words]

    def cut(self, host: str) -> None:
        """From now on no packet leaves or reaches a host, and nobody is told."""
        self._hub("link", "set", "dev", host, "down")

    def join(self, host: str) -> None:
        """The host is on the wire again."""
        self._hub("link", "set", "dev", host, "up")

    def namespace(self, name: str) -> str:
        """Return the name of the namespace of a host, or of the hub."""
        return f"{self.prefix}-{name}"

    def _hub(self, *words: str) -> None:
        _ip("-n", self.namespace("hub"), *words)


@contextmanager
def network(hosts: tuple[str, ...]) -> Iterator[Network]:
    """Hosts on a wire, until the block ends; what still runs on them is killed."""
    wire = ipaddress.ip_network((int(_ALL[0]) + os.getpid() % (1 << 14) * 256, 24))
    assert isinstance(wire, ipaddress.IPv4Network)
    made = Network(prefix=f"overread{os.getpid()}", hosts=hosts, wire=wire)
    hub, ours = made.namespace("hub"), f"or{os.getpid()}"
    with ExitStack() as stack:
        for name in ("hub", *hosts):
            _ip("netns", "add", made.namespace(name))
            stack.callback(_remove, made.namespace(name))
        _ip("-n", hub, "link", "add", "wire", "type", "bridge")
        _ip("-n", hub, "link", "set", "dev", "wire", "up")
        _ip("link", "add", ours, "type", "veth", "peer", "name", "test", "netns", hub)
        stack.callback(_ip, "link", "delete", ours)  # at once; with its namespace it would go some time later
        _ip("address", "add", f"{wire[1]}/{wire.prefixlen}", "dev", ours)
        _ip("link", "set", "dev", ours, "up")
        _plug(hub, "test")
        for host in hosts:
            here = made.namespace(host)
            _ip("-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", host, "netns", hub)
            _ip("-n", here, "address", "add", f"{made.address(host)}/{wire.prefixlen}", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", here, "link", "set", "dev", device, "up")
            _plug(hub, host)
        yield made


def can_have_hosts() -> bool:
    """Return whether this machine lets us make two hosts, and the one reaches the other."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    try:
        with network(("one", "two")) as tried:
            # Nobody listens there: a host that is reached refuses, at once.
            asks = f"import socket; socket.create_connection(({tried.address('two')!r}, 9), 3)"
            asked = subprocess.run(
                tried.command("one", [sys.executable, "-c", asks]),
                capture_output=True,
                text=True,
                check=False,
            )
    except subprocess.CalledProcessError:
        return False
    return "ConnectionRefusedError" in asked.stderr


def _plug(hub: str, device: str) -> None:
    _ip("-n", hub, "link", "set", "dev", device, "master", "wire")
    _ip("-n", hub, "link", "set", "dev", device, "up")


def _remove(namespace: str) -> None:
    running = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    for pid in running.stdout.split():
        subprocess.run(["kill", "-KILL", pid], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
