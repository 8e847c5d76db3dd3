"""What KEDA asks PostgreSQL in order to scale the workers is the number of cases that need one."""

from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from service.store.queue import claim_case
from tests.service.material import NOW, ready_case, triaged_case

WORKER = Path(__file__).parents[3] / "deploy" / "kubernetes" / "base" / "worker.yaml"


@pytest.fixture
def asked() -> str:
    (scaled,) = (each for each in yaml.safe_load_all(WORKER.read_text()) if each["kind"] == "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    return trigger["metadata"]["query"]


def test_the_query_counts_what_waits_and_what_is_in_hand(store, asked) -> None:
    def count() -> int:
        with store.reading() as connection:
            return connection.execute(text(asked)).scalar_one()

    assert count() == 0
    triaged_case(store, 1)
    ready_case(store, 2)
    ready_case(store, 3)
    assert count() == 2
    claim_case(store, worker="w", now=NOW)
    assert count() == 2
