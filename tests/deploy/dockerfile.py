"""Instructions of a Dockerfile, as far as ours uses them; any other is refused."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_DECLARATIONS = frozenset({"VOLUME", "EXPOSE"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction."""

    name: str  # in capitals
    words: str  # what follows it, on one line


@dataclass(slots=True, kw_only=True)
class Stage:
    """One stage of a build, and how what it makes is started."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)


def read_stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile; what stands before the first FROM is left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, words = line.partition(" ")
        if name == "FROM":
            base, _, alias = words.partition(" AS ")
            stages.append(Stage(name=alias or base))
        elif stages:
            stages[-1].instructions.append(Instruction(name, words.strip()))
    return stages


@dataclass(slots=True, kw_only=True)
class State:
    """What later instructions of a stage depend on, and a container at last."""

    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health: tuple[str, ...] = ()

    def note(self, instruction: Instruction) -> bool:
        """Take in an instruction that changes no file; return whether it was one."""
        words = instruction.words
        match instruction.name:
            case "ENV":
                pairs = (word.partition("=") for word in shlex.split(words))
                self.environment |= {name: self.filled(value) for name, _, value in pairs}
            case "ARG":
                name, _, default = words.partition("=")
                self.arguments.setdefault(name, default)
            case "WORKDIR":
                self.folder = words
            case "USER":
                self.user = words
            case "ENTRYPOINT":
                self.entrypoint = tuple(json.loads(words))
            case "CMD":
                self.command = tuple(json.loads(words))
            case "HEALTHCHECK":
                self.health = tuple(json.loads(words.partition("CMD ")[2]))
            case _:
                return instruction.name in _DECLARATIONS
        return True

    def filled(self, text: str) -> str:
        """Return a text with the variables of the stage in place of their names."""
        known = {**self.arguments, **self.environment}
        return _VARIABLE.sub(lambda found: known.get(found[1], ""), text)


def copied(words: str) -> tuple[str | None, list[Path], str]:
    """Return of COPY the stage that it takes from (None: the build's own files), what, and where to."""
    parts = shlex.split(words)
    stage = None
    if parts[0].startswith("--from="):
        stage = parts.pop(0).removeprefix("--from=")
    return stage, [Path(part) for part in parts[:-1]], parts[-1]
