"""The house: which room may know which, what loads what, and how long a file may get.

The design draws the rooms in the order in which a study walks through them and lets arrows point
down that list. In the code an import points the other way, at what an earlier room has made: a
later room may import the types of an earlier one (the store reads plans, the report reads results),
never the reverse. So the order here is methods, study, matrix, store, execute, report, and two
differences from the design's drawing are meant:

* `methods` comes before `study`: what can be ablated is known before a file is read.
* `report` reads the store by what it tells (results, queries, extracts of a study) and writes its
  own files as atomically; it never sees the schema, the locks, or what ingests run directories.

`errors` and `console` serve all rooms; `statistics` are pure functions that know no other room.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ablate"
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, LONGEST_FUNCTION = 350, 45

#: Of the store, what a report may ask.
TOLD = (
    "results", "query", "index", "history", "events", "job_result", "rundir", "files", "find",
    "processes", "looks", "extract",
)  # fmt: skip

#: Room -> what it may import of the package, besides itself; a longer name allows that part only.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "methods": {"errors"},
    "study": {"methods", "errors"},
    "matrix": {"study", "methods", "errors"},
    "store": {"matrix", "methods", "errors"},
    "statistics": {"errors"},
    "execute": {"statistics", "store", "matrix", "study", "methods", "errors"},
    "report": {
        *(f"store.{told}" for told in TOLD), "execute.decide", "statistics", "matrix", "methods",
        "console", "errors",
    },
    "training": {"methods", "errors"},
    "console": {"errors", "letters"},
    "letters": set(),
    "__main__": {"cli"},
    "": {"front_door"},  # `import ablate` itself: for types only, loaded at the first use
}  # fmt: skip
EVERYTHING = ("cli", "front_door")

#: Library -> the only places that may import it.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "torch": ("training",),
    "torchvision": ("training",),
    "sklearn": ("training",),
    "rich": ("console", "cli"),
    "sqlalchemy": ("store",),
    "typer": ("cli",),
    "matplotlib": ("report",),
    "jinja2": ("report",),
    "pydantic": ("study",),
    "markdown_it": ("study",),
    "tomlkit": ("study",),
}

#: Modules that commands start with, which must not wait for torch.
STARTING = (
    "ablate.cli.app", "ablate.cli.run", "ablate.cli.report", "ablate.cli.status", "ablate.report",
    "ablate.store.index", "ablate.store.query", "ablate.execute.orchestrator", "ablate.cli.live",
    "ablate.matrix.expand", "ablate.study.parse", "ablate.study.settings", "ablate.cli.planning",
    "ablate.execute.earlier",
)  # fmt: skip


def module(path: Path) -> str:
    """Name inside the package: "methods.parts"; a package is known by its own name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, also of those inside functions and for types only."""
    here = module(path).split(".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = here if path.name == "__init__.py" else here[:-1]
                kept = package[: len(package) - (node.level - 1)]
                base = ".".join(filter(None, ("ablate", *kept, node.module)))
            # `from ablate.store import files` imports the module ablate.store.files.
            inner = [alias.name for alias in node.names if is_module(f"{base}.{alias.name}")]
            yield from ((node.lineno, f"{base}.{name}") for name in inner)
            if len(inner) < len(node.names):
                yield node.lineno, base


def is_module(name: str) -> bool:
    top, _, rest = name.partition(".")
    path = PACKAGE / rest.replace(".", "/")
    return top == "ablate" and (path.is_dir() or path.with_suffix(".py").is_file())


def room(path: Path) -> str:
    return module(path).partition(".")[0]


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 80
    rooms = {room(path) for path in FILES}
    assert rooms == ALLOWED.keys() | set(EVERYTHING)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_rooms_know_earlier_rooms_only(path: Path) -> None:
    here = room(path)
    if here in EVERYTHING:
        return
    allowed = ALLOWED.get(here, set()) | {here}
    for line, name in imported(path):
        top, _, inner = name.partition(".")
        if top != "ablate" or not inner:
            continue
        fine = any(inner == one or inner.startswith(f"{one}.") for one in allowed)
        assert fine, f"{path.relative_to(PACKAGE)}:{line} imports {name}"


def test_no_room_is_known_by_one_that_it_knows() -> None:
    for here, others in ALLOWED.items():
        for other in others:
            assert here not in ALLOWED.get(other.partition(".")[0], set()), (here, other)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_libraries_stay_in_their_places(path: Path) -> None:
    for line, name in imported(path):
        places = ONLY_IN.get(name.partition(".")[0])
        place = f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        assert places is None or room(path) in places, place


def test_the_workshop_is_entered_by_name_only() -> None:
    """No import leads into training/; workers find programs by the names that methods give."""
    for path in FILES:
        names = [name for _, name in imported(path)] if room(path) != "training" else []
        assert not [name for name in names if name.startswith("ablate.training")], path


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def loaded(code: str, *names: str) -> list[str]:
    """Which of `names` a fresh interpreter has loaded after running `code`."""
    code = f"{code}\nimport sys\nprint([n for n in {names!r} if n in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: list[str] = ast.literal_eval(ran.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("path", FILES, ids=module)
def test_functions_are_short(path: Path) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, functions)]
    lines = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in nodes}
    assert {name: n for name, n in lines.items() if n > LONGEST_FUNCTION} == {}


def test_importing_everything_outside_the_workshop_loads_no_torch() -> None:
    names = [f"ablate.{module(path)}".rstrip(".") for path in FILES if room(path) != "training"]
    # `warm` leaves its process group when it is imported, ablate.__main__ runs.
    names = [
        name for name in names if name not in ("ablate.execute.launch.warm", "ablate.__main__")
    ]
    assert set(STARTING) <= set(names)
    code = "".join(f"import {name}\n" for name in names)
    assert loaded(code, "torch", "torchvision", "sklearn") == []


def test_help_loads_nothing_that_is_slow() -> None:
    code = """
import sys
from ablate.cli import main
sys.argv = ["ablate", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
"""
    slow = ("torch", "pandas", "sqlalchemy", "pydantic", "numpy", "scipy", "matplotlib", "sklearn")
    assert loaded(code, *slow) == []


def test_what_these_tests_look_for_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "import torch.nn as nn\nfrom ablate.store import files, Nothing\n"
        "def f():\n    from ablate.matrix.plan import Role\n"
    )
    found = {name for _, name in imported_at(path)}
    assert found == {"torch.nn", "ablate.store.files", "ablate.store", "ablate.matrix.plan"}


def imported_at(path: Path) -> Iterator[tuple[int, str]]:
    """Imports of a file that lies elsewhere."""
    inside = PACKAGE / path.name
    text = path.read_text()

    class Elsewhere(type(inside)):  # type: ignore[misc]
        def read_text(self, *_: object, **__: object) -> str:
            return text

    yield from imported(Elsewhere(inside))


def test_importing_the_front_door_loads_nothing_else() -> None:
    slow = ("ablate.front_door", "torch", "pandas", "sqlalchemy", "pydantic", "numpy", "typer")
    assert loaded("import ablate", *slow) == []
    assert loaded("import ablate\nfor n in ablate.__all__: getattr(ablate, n)", "torch") == []
