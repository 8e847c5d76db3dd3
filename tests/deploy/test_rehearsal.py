"""The Dockerfile makes a root that runs read-only as its own user, as far as that goes without an engine."""

import json
import shutil

import pytest

from tests.deploy.dockerfile import Instruction, State, copied, read_stages
from tests.deploy.rehearsal import DOCKERFILE, MISSING, can_rehearse, rehearse


def test_every_instruction_of_the_dockerfile_is_understood() -> None:
    stages = read_stages(DOCKERFILE.read_text())
    state, left = State(), set()
    for stage in stages:
        state = State()
        left |= {each.name for each in stage.instructions if not state.note(each)}

    assert [stage.name for stage in stages] == ["build", "${BASE}"]
    assert left == {"RUN", "COPY"}
    assert state.user == "10001:10001"
    assert state.entrypoint == ("tini", "--", "overread")
    assert state.command == ("serve", "--host", "0.0.0.0")
    assert state.health[0] == "python3"


def test_lines_that_go_on_and_comments_are_read_as_the_engine_reads_them() -> None:
    (stage,) = read_stages("ARG BASE=x\nFROM ${BASE} AS build\nRUN one \\\n    && two\n# no\nUSER 1:2\n")

    assert stage.name == "build"
    assert stage.instructions == [Instruction("RUN", "one && two"), Instruction("USER", "1:2")]


def test_variables_are_filled_in_and_copies_know_their_stage() -> None:
    state = State(environment={"PATH": "/bin"})
    state.note(Instruction("ENV", "PATH=/opt/bin:$PATH A=b"))

    assert state.environment == {"PATH": "/opt/bin:/bin", "A": "b"}
    assert [str(path) for path in copied("--from=build /opt /opt")[1]] == ["/opt"]
    assert copied("a b ./")[0] is None


@pytest.mark.slow
@pytest.mark.skipif(not can_rehearse(), reason=MISSING)
def test_the_root_that_the_dockerfile_makes_runs_the_demo_and_serves_read_only_as_its_user(tmp_path) -> None:
    try:
        came = rehearse(tmp_path, "bookworm")
    finally:
        shutil.rmtree(tmp_path)  # three roots of a gigabyte each

    assert came["demo_status"] == 0
    assert json.loads(str(came["demo"]))
    assert came["healthy"]
    assert came["stopped"] == 0  # asked as an engine asks, it ends by itself
