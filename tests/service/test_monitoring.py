"""What lies in deploy/ for Prometheus and Grafana fits what the service tells."""

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from overread.command import GROUP
from service.configuration import known_variables

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
ALERTS_TEST = ALERTS.with_name("alerts_test.yml")
RUNBOOK = DEPLOY.parent / "docs" / "runbook.md"
BOARD = DEPLOY / "grafana" / "overread.json"
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
    "info": ("_info",),
}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)"
)


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(BOARD.read_text())["panels"]
    return found


def board_queries() -> Iterator[str]:
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def names_in(query: str) -> set[str]:
    return set(re.findall(r"\boverread_\w+", query))


def test_every_metric_of_board_and_alerts_is_told_by_the_service(api: httpx.Client) -> None:
    told = {
        family.name + suffix
        for family in text_string_to_metric_families(api.get("/metrics").text)
        for suffix in SUFFIXES[family.type]
    }
    asked = set[str]().union(*map(names_in, [*board_queries(), *(rule["expr"] for rule in alerts())]))
    assert len(asked) >= 15
    assert asked <= told


def test_each_panel_asks_something_of_the_chosen_source_and_none_covers_another() -> None:
    taken = set()
    for panel in panels():
        assert panel["title"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
        assert all(names_in(target["expr"]) for target in panel["targets"])
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24  # columns of a Grafana board
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_each_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}


def test_each_alert_has_one_section_of_the_runbook_and_each_section_an_alert() -> None:
    sections = re.findall(r"(?m)^## (.+)$", RUNBOOK.read_text())
    assert sorted(sections) == sorted(rule["alert"] for rule in alerts())
    for rule in alerts():
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOK.name}#{rule['alert'].lower()}"


def test_each_section_of_the_runbook_says_what_it_means_where_to_look_and_what_to_do() -> None:
    for section in RUNBOOK.read_text().split("\n## ")[1:]:
        assert re.findall(r"(?m)^\*\*(\w+)\*\* ", section) == ["Means", "Look", "Do"], section.splitlines()[0]


def test_the_runbook_names_settings_and_commands_that_are_there() -> None:
    text = RUNBOOK.read_text()
    known = known_variables()
    for variable in set(re.findall(r"`(OVERREAD_[A-Z0-9_]+)", text)):
        assert variable in known, variable
    for words in set(re.findall(r"`overread ([a-z -]+)", text)):
        subcommand, *arguments = words.split()
        (entry,) = entry_points(group=GROUP, name=subcommand)
        parser = argparse.ArgumentParser()
        entry.load().configure(parser)
        if arguments:
            assert arguments[0] in parser.format_help(), words


@needs_promtool
def test_promtool_takes_alerts_and_their_tests_scrape_configuration_and_the_queries_of_the_board(
    tmp_path: Path,
) -> None:
    records = [{"record": f"q:{number}", "expr": query} for number, query in enumerate(board_queries())]
    (tmp_path / "board.yml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": records}]}))
    for command in (
        ("check", "rules", str(ALERTS)),
        ("test", "rules", str(ALERTS_TEST)),
        ("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")),
        ("check", "rules", str(tmp_path / "board.yml")),
    ):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
