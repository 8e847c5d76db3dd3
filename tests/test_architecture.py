"""Holds the floors and the form: imports point down without circles, SQL stays in the store, nothing is long.

Type-checking imports count.
"""

import ast
from collections.abc import Iterator
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
SQL = {
    "alembic",
    "sqlalchemy",
    "service.store.account_tables",
    "service.store.audit_schema",
    "service.store.metadata",
    "service.store.queries",
    "service.store.schema",
    "service.store.second_read_tables",
}
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50  # its docstring not counted
BROAD_EXCEPTS = {
    "models.decoding _decoded": "a panic of a decoder in Rust is no Exception, and its class is in no module",
    "models.library_errors as_model_error": "ONNX Runtime, torch and MONAI raise classes with no common one",
    "models.prefetch _Preparation.run": "outermost in its thread; raised again where the result is asked for",
}
"""Functions that catch Exception, BaseException or everything, and why each has to."""
GOES_ON_AFTER_AN_ERROR = {
    "service.confined.process": "a call; its caller gets the error",
    "service.dicom.association": "a command of a peer; the association is aborted",
    "service.dicom.listener": "an object; its sender gets a status",
    "service.dicom.reporting": "a report of storage commitment; it is tried again",
    "service.hl7.committer": "a message; its sender gets the error",
    "service.hl7.listener": "a message; its sender gets an acknowledgement that says so",
    "service.maintenance.drift": "one look at a window; it is tried again",
    "service.narrative.pdf": "a PDF; whoever sent it gets the reason",
    "service.notices.process": "one look at the list; what is to be told stays so",
    "service.results.making": "an occasion; it is tried again, or given up with the reason",
    "service.results.process": "one round of making; what is due stays so",
    "service.results.sending": "one round of a destination; it waits, and tries again",
    "service.triage.shadow": "the look of a candidate; its failure is kept with it",
    "service.triage.storing": "the storing of a conclusion; its case is tried again",
    "service.triage.worker": "the look at a case; it is tried again, or fails with its reason",
    "service.watch.folder": "a file; it stays where it is",
}
"""Modules whose outermost loop goes on after an item that failed (`ErrorBoundary`), and the item."""


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
IMPORTS = {name: imported(name, tree, set(ALL)) for name, tree in ALL.items()}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_itself_and_the_floors_below(room: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if name.split(".")[0] == room
        and other.split(".")[0] in MAY_IMPORT
        and other.split(".")[0] not in MAY_IMPORT[room]
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
        for name, others in IMPORTS.items()
        for other in others
        if name.split(".")[0] == room
        and other.split(".")[0] in forbidden
        and not name.startswith(MAY_KNOW_TORCH)
    ]

    assert wrong == []


def test_there_is_no_circle_of_imports() -> None:
    # The module of a package is above its own submodules only where it imports them.
    graph = {name: (others & set(ALL)) - {name} for name, others in IMPORTS.items()}

    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


def package_of(name: str) -> str:
    """The folder below the room with all that is in it; a module of the room itself stands for itself."""
    return ".".join(name.split(".")[:2])


def test_there_is_no_circle_of_packages() -> None:
    graph: dict[str, set[str]] = {}
    for name, others in IMPORTS.items():
        packages = {package_of(other) for other in others & set(ALL)}
        graph.setdefault(package_of(name), set()).update(packages - {package_of(name)})

    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


def test_the_store_alone_speaks_sql() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if package_of(name) != "service.store" and ({other, package_of(other), other.split(".")[0]} & SQL)
    ]

    assert wrong == []


def test_a_lock_is_named_in_one_place() -> None:
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in ALL.items()
        for node in ast.walk(tree)
        if name != "service.store.locks"
        and (
            (isinstance(node, ast.Call) and ast.unparse(node.func) in {"Lock", "locks.Lock"})
            or (isinstance(node, ast.Constant) and "pg_advisory" in str(node.value))
        )
    ]

    assert wrong == []


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for room in MAY_IMPORT
        for path in (ROOT / room).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    }

    assert long == {}


def test_no_function_is_longer_than_a_page() -> None:
    long = {
        f"{name} {function}": lines
        for name, tree in ALL.items()
        for function, node in functions(tree)
        if (lines := lines_of(node)) > FUNCTION_LINES_MAX
    }

    assert long == {}


def test_only_what_says_why_catches_everything() -> None:
    found = [
        f"{name} {function}"
        for name, tree in ALL.items()
        for function, node in [*functions(tree), ("", tree)]
        for _ in broad_handlers(node)
    ]

    assert sorted(found) == sorted(BROAD_EXCEPTS)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function at any depth, under its qualified name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
        inner = f"{prefix}{child.name}." if isinstance(child, Function | ast.ClassDef) else prefix
        yield from functions(child, inner)


def lines_of(function: Function) -> int:
    """From its first line to its last, without decorators and docstring."""
    first = function.body[0]
    docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    spent = first.end_lineno - first.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - spent


def broad_handlers(node: ast.AST) -> Iterator[ast.ExceptHandler]:
    """Those of the function, or of the module outside every function, that catch everything."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler) and is_broad(child.type):
            yield child
        if not isinstance(child, Function):
            yield from broad_handlers(child)


def is_broad(caught: ast.expr | None) -> bool:
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds)


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


def calls(tree: ast.Module, function: str) -> Iterator[ast.Call]:
    """Every call of a function of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and function in {
            getattr(node.func, "id", None),
            getattr(node.func, "attr", None),
        }:
            yield node


def test_only_an_outermost_loop_goes_on_after_an_error_of_any_class() -> None:
    found = {name for name, tree in ALL.items() if any(calls(tree, "ErrorBoundary"))}
    suppressing = [
        name
        for name, tree in ALL.items()
        for call in calls(tree, "suppress")
        if any(map(is_broad, call.args))
    ]

    assert found == set(GOES_ON_AFTER_AN_ERROR)
    assert suppressing == []
