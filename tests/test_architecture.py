"""Holds the floors: imports point down only, without circles; type-checking imports count."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "overread": {"overread"},
    "models": {"models", "overread"},
    "service": {"service", "models", "overread"},
    "training": {"training", "models", "overread"},
    "evaluation": {"evaluation", "models", "overread"},
}
TRAINING_ONLY = {"torch", "monai", "onnx", "onnxscript"}
MAY_KNOW_TORCH = ("models.bundle.", "models.onnx_export", "models.torchxrayvision.")  # not for the runtime
SERVICE_ONLY = {"alembic", "bentoml", "fastapi", "pynetdicom", "sqlalchemy", "starlette"}
FORBIDDEN_IN_THE_DOMAIN = {"onnxruntime", "pydicom"} | SERVICE_ONLY | TRAINING_ONLY


def modules(room: str) -> dict[str, ast.Module]:
    found = {}
    for path in sorted((ROOT / room).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(name: str, tree: ast.Module, known: set[str]) -> set[str]:
    """Every module that the file names in an import, at any depth of the file, under its full name."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively; imports are absolute here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in known else str(node.module))
    return names


ALL = {name: tree for room in MAY_IMPORT for name, tree in modules(room).items()}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_itself_and_the_floors_below(room: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, tree in modules(room).items()
        for other in imported(name, tree, set(ALL))
        if other.split(".")[0] in MAY_IMPORT and other.split(".")[0] not in MAY_IMPORT[room]
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("overread", FORBIDDEN_IN_THE_DOMAIN),
        ("service", TRAINING_ONLY),
        ("models", SERVICE_ONLY | TRAINING_ONLY),
    ],
)
def test_a_room_does_not_know_what_belongs_to_others(room: str, forbidden: set[str]) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, tree in modules(room).items()
        for other in imported(name, tree, set(ALL))
        if other.split(".")[0] in forbidden and not name.startswith(MAY_KNOW_TORCH)
    ]

    assert wrong == []


def test_there_is_no_circle_of_imports() -> None:
    # The module of a package is above its own submodules only where it imports them.
    graph = {name: (imported(name, tree, set(ALL)) & set(ALL)) - {name} for name, tree in ALL.items()}

    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


def test_the_program_never_hides_what_it_does_not_have() -> None:
    hidden = [
        f"{name}:{node.lineno}"
        for name, tree in ALL.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Name | ast.Call)
        and ast.unparse(node.exc).startswith("NotImplementedError")
    ]

    assert hidden == []
