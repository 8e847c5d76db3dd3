"""An audit by a Ray cluster of several nodes: the numbers of one machine, whoever is killed meanwhile."""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.audit import cohort_shards, ray_shards
from evaluation.audit.result_folder import read_result
from evaluation.audit.run import run_audit
from evaluation.audit.shard_folder import SHARDS
from overread.errors import ConfigurationError, InvalidFileError
from tests.evaluation.audit.simulated import write_simulated
from tests.evaluation.audit.test_run import audit_of, quiet, started
from tests.service.waiting import eventually

SHARD_BYTES = 20_000
STARTS_MAX = 5


def brought_up(start: Callable[[], Any]) -> Any:
    """What starts a node of Ray; it gives up where its agent is not up within 15 s, on a busy machine."""
    for _ in range(STARTS_MAX - 1):
        try:
            return start()
        except Exception as error:  # Ray raises no narrower one
            if "timed out during startup" not in str(error):
                raise
    return start()


class LocalCluster:
    """Head without a CPU, and nodes of one CPU each, every one a raylet with processes of its own."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False}
        self._cluster = brought_up(lambda: Cluster(initialize_head=True, head_node_args=head))
        self.address = self._cluster.address
        self.nodes: list[Any] = []
        for _ in range(2):
            self.add_node()

    def add_node(self) -> None:
        self.nodes.append(brought_up(lambda: self._cluster.add_node(num_cpus=1)))

    def kill_node(self) -> None:
        self._cluster.remove_node(self.nodes.pop(), allow_graceful=False)

    def stop(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,  # short: sockets
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # On a machine that is busy with other tests, only a fault reaches these.
        patch.setenv("RAY_raylet_start_wait_time_s", "60")
        patch.setenv("RAY_agent_register_timeout_ms", "600000")
        patch.setenv("RAY_health_check_timeout_ms", "120000")
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'overread[ray]'")
        made = LocalCluster()
        yield made
        made.stop()


@pytest.fixture
def small_shards(monkeypatch) -> None:
    monkeypatch.setattr(cohort_shards.shards_of, "__defaults__", (SHARD_BYTES,))


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    write_simulated(tmp_path / "c.jsonl")

    with pytest.raises(ConfigurationError, match=r"overread\[ray\]"):
        run_audit(audit_of(tmp_path / "c.jsonl", ray="auto"), tmp_path / "out", quiet)


@pytest.mark.slow
def test_a_node_killed_in_the_middle_changes_no_number(cluster, tmp_path, small_shards) -> None:
    write_simulated(tmp_path / "c.jsonl", cases=3_000)
    alone = run_audit(audit_of(tmp_path / "c.jsonl"), tmp_path / "alone", quiet)
    cluster.add_node()
    counts = []

    def kill_after_three(what: str, count: int) -> None:
        if what.startswith("shards"):
            counts.append(count)
            if count == 3:
                cluster.kill_node()

    spread = run_audit(
        audit_of(tmp_path / "c.jsonl", ray=cluster.address), tmp_path / "spread", kill_after_three
    )

    assert counts == list(range(1, alone["cohort"]["shards"] + 1))
    assert len(counts) > 30
    assert spread["tables"] == alone["tables"]
    assert spread["cohort"] == alone["cohort"]
    assert (tmp_path / "spread" / "cases.csv").read_bytes() == (tmp_path / "alone" / "cases.csv").read_bytes()


@pytest.mark.slow
def test_a_killed_run_is_taken_up_by_the_cluster_and_by_one_machine(cluster, tmp_path) -> None:
    """A run on Ray dies, this machine alone goes on and dies, and Ray ends it: one manifest for both."""
    cohort, whole, killed = str(tmp_path / "c.jsonl"), tmp_path / "whole", tmp_path / "killed"
    write_simulated(tmp_path / "c.jsonl", cases=6_000)
    assert started(cohort, "--out", str(whole)).wait() == 0

    kept: list[dict[str, int]] = []
    for reader in (("--ray", cluster.address), ("--processes", "2")):
        run = started(cohort, "--out", str(killed), *reader)
        wanted = 3 + (len(kept[-1]) if kept else 0)
        eventually(lambda wanted=wanted: len(_kept(killed)) >= wanted)
        run.send_signal(signal.SIGKILL)
        run.wait()
        kept.append(_kept(killed))
        assert not (killed / "result.json").exists()
    assert kept[0].items() <= kept[1].items()  # nothing that was done is read again
    assert started(cohort, "--out", str(killed), "--ray", cluster.address).wait() == 0

    assert read_result(whole)["tables"] == read_result(killed)["tables"]
    assert (whole / "cases.csv").read_bytes() == (killed / "cases.csv").read_bytes()


@pytest.mark.slow
def test_a_malformed_line_is_told_as_on_one_machine(cluster, tmp_path, small_shards) -> None:
    write_simulated(tmp_path / "c.jsonl")
    content = (tmp_path / "c.jsonl").read_bytes()
    (tmp_path / "c.jsonl").write_bytes(content[:-3] + b"  \n")

    with pytest.raises(InvalidFileError, match=r"^c\.jsonl, line 600: not a line of JSON"):
        run_audit(audit_of(tmp_path / "c.jsonl", ray=cluster.address), tmp_path / "out", quiet)


@pytest.mark.slow
def test_a_cluster_of_another_release_is_refused(cluster, tmp_path, monkeypatch) -> None:
    write_simulated(tmp_path / "c.jsonl")
    monkeypatch.setattr(ray_shards, "__version__", "0.0.1")  # here; the nodes have their own

    with pytest.raises(ConfigurationError, match=r"has overread .*, not 0\.0\.1"):
        run_audit(audit_of(tmp_path / "c.jsonl", ray=cluster.address), tmp_path / "out", quiet)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:9"])  # port 9: discard, where nobody listens
def test_where_no_cluster_answers_its_address_is_named(cluster, tmp_path, address) -> None:
    write_simulated(tmp_path / "c.jsonl")

    with pytest.raises(ConfigurationError, match=f"no Ray cluster answers at {address}"):
        run_audit(audit_of(tmp_path / "c.jsonl", ray=address), tmp_path / "out", quiet)


def _kept(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / SHARDS).glob("*.npz")}
