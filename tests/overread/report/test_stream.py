import json
from collections.abc import Iterator

import pytest

from overread.report.stream import LINES_PER_CHUNK, read_lines


def line(identifier: object, text: object) -> bytes:
    return json.dumps({"id": identifier, "text": text}).encode() + b"\n"


def test_each_line_gives_its_id_and_observations() -> None:
    (result,) = read_lines([line("a", "Small right effusion.")])

    output = json.loads(result.output or "")
    assert output["id"] == "a"
    (effusion,) = output["observations"]
    assert (effusion["finding"], effusion["presence"], effusion["laterality"]) == (
        "effusion",
        "PRESENT",
        "RIGHT",
    )
    assert effusion["span"] == [12, 20]


def test_what_a_report_says_besides_findings_is_told_too() -> None:
    text = (
        "INDICATION: Cough. FINDINGS: Right effusion. IMPRESSION: Left effusion. "
        "Recommend CT in 3 months. Discussed with the ward at 14:05."
    )

    (result,) = read_lines([line("a", text)])

    output = json.loads(result.output or "")
    assert [item["value"] for item in output["context"]] == ["cough"]
    assert [item["kind"] for item in output["contradictions"]] == ["SIDE"]
    assert [(item["action"], item["within_days"]) for item in output["recommendations"]] == [("CT", 90.0)]
    assert [item["time_of_day"] for item in output["communications"]] == ["14:05"]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_keep_the_order_of_the_lines(workers: int) -> None:
    count = 3 * LINES_PER_CHUNK + 5

    results = list(read_lines((line(n, f"{n} mm nodule.") for n in range(1, count + 1)), workers=workers))

    assert [json.loads(r.output or "")["id"] for r in results] == list(range(1, count + 1))
    assert [r.number for r in results] == list(range(1, count + 1))


@pytest.mark.parametrize(
    "bad",
    [
        b"{not json}\n",
        b"\xff\xfe\n",
        b"[1]\n",
        b'"text"\n',
        line("a", None),
        line("a", 3),
        line(None, "Effusion."),
        line(True, "Effusion."),
        b'{"text": "Effusion."}\n',
        line("a", ""),
        line("a", "a\0b"),
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_malformed_line_is_an_error_with_its_number_and_the_rest_is_read(bad: bytes) -> None:
    results = list(read_lines([line(1, "Effusion."), bad, line(3, "Effusion.")]))

    assert [(r.number, r.error is None) for r in results] == [(1, True), (2, False), (3, True)]


def test_an_error_never_tells_the_text() -> None:
    (result,) = read_lines([b'{"id": 1, "text": "Mr Secret", \n'])

    assert "Secret" not in (result.error or "")


def test_blank_lines_are_passed_over_but_counted() -> None:
    results = list(read_lines([b"\n", line(1, "Effusion."), b"  \n"]))

    assert [r.number for r in results] == [2]


@pytest.mark.parametrize("workers", [1, 2])
def test_lines_are_taken_as_they_are_needed(workers: int) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield line(taken, "Effusion.")

    results = read_lines(endless(), workers=workers)
    for _ in range(10):
        next(results)
    results.close()  # type: ignore[attr-defined]  # it is a generator

    assert taken <= 20 * LINES_PER_CHUNK
