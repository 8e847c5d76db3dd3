"""Holds the floors: imports point down only, without circles; type-checking imports count."""

import ast
from collections.abc import Callable
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


# The places that catch whatever is raised, and why a list of classes would not do there.
CATCHES_EVERYTHING = {
    "models/decoding.py": "a panic of a decoder in Rust is no Exception, and its class is in no module",
    "models/library_errors.py": "ONNX Runtime, torch and MONAI raise classes with no common one",
    "models/prefetch.py": "the outermost call of a thread; raised again where the result is asked for",
    "service/triage/worker.py": "one case must not end the worker; it fails or goes back to the queue",
}
# The outermost loops that go on after an item that failed, and the item.
GOES_ON_AFTER_AN_ERROR = {
    "service/dicom/association.py": "a command of a peer; the association is aborted",
    "service/dicom/listener.py": "an object; its sender gets a status",
    "service/dicom/reporting.py": "a report of storage commitment; it is tried again",
    "service/hl7/committer.py": "a message; its sender gets the error",
    "service/hl7/listener.py": "a message; its sender gets an acknowledgement that says so",
    "service/triage/shadow.py": "the look of a candidate; its failure is kept with it",
    "service/watch/folder.py": "a file; it stays where it is",
}


def catches_everything(node: ast.AST) -> bool:
    """Whether it is a bare `except`, one of `Exception` or above, or suppresses such."""
    if isinstance(node, ast.ExceptHandler):
        caught = [] if node.type is None else [node.type]
        if not caught:
            return True
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        caught = node.args
    else:
        return False
    names = {part.id for each in caught for part in ast.walk(each) if isinstance(part, ast.Name)}
    return bool(names & {"Exception", "BaseException"})


def files_with(matches: Callable[[ast.AST], bool]) -> set[str]:
    """Return the files of the program with such a node."""
    return {
        str(path.relative_to(ROOT))
        for room in MAY_IMPORT
        for path in (ROOT / room).rglob("*.py")
        if any(map(matches, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }


def test_an_error_of_any_class_is_caught_only_where_a_reason_is_given() -> None:
    assert files_with(catches_everything) == set(CATCHES_EVERYTHING)
    assert files_with(
        lambda node: isinstance(node, ast.Call) and ast.unparse(node.func) == "ErrorBoundary"
    ) == set(GOES_ON_AFTER_AN_ERROR)
