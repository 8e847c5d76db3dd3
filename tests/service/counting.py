"""How much a block of a test adds to the counters of its process."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from service.metrics import REGISTRY


def samples() -> dict[str, float]:
    """Every sample of the process by its name and labels, as `name{label="value"}`."""
    found = {}
    for family in REGISTRY.collect():
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


@contextmanager
def counting(prefix: str) -> Iterator[SimpleNamespace]:
    """Its `added` is, once the block has ended, what it added to the samples whose names begin so."""
    result, before = SimpleNamespace(added={}), samples()
    yield result
    result.added = {
        name: value - before.get(name, 0.0)
        for name, value in samples().items()
        if name.startswith(prefix) and value != before.get(name, 0.0) and "_created" not in name
    }
