"""The digest of the code that a job's program reaches: its own modules and no others.

The modules are found by following imports in the source, also those inside functions, from the
places that a job names: its program, its networks, its data set, its method's file. Nothing is
imported. Comments, docstrings, layout, labels and messages don't count: they can't change a
result, so they must not throw finished results away.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ablate
from ablate.methods.catalog import split_subset
from ablate.methods.method import Method
from ablate.methods.places import DATA_PLACES, NETWORK_PLACES
from ablate.methods.registry import is_script
from ablate.methods.script_code import script_digests
from ablate.methods.session import JobConfig

_HOME = Path(ablate.__file__).parent
_SCRIPT_PROGRAM = "ablate.methods.script_program"  #: runs the scripts that are declared in TOML

#: Modules of ours that say where things are, what they are called or what is wrong. What they
#: decide of a job stands in its config: values as settings, facts of data sets as inputs.
NO_CODE = frozenset(
    {
        "ablate",
        "ablate.errors",
        "ablate.methods",
        "ablate.methods.catalog",
        "ablate.methods.file_digests",
        "ablate.methods.image_folder",
        "ablate.methods.installed_data",
        "ablate.methods.method",
        "ablate.methods.places",
        "ablate.methods.registry",
    }
)

#: Calls whose text arguments are words for people.
_DECLARATIONS = frozenset({"Part", "declared", "Metric", "Method", "Qualifier"})
_MESSAGES = frozenset({"Problem", "Conflict"})
_WORDS = frozenset(
    {"label", "symbol", "title", "help", "source", "aliases", "words", "value_labels",
     "value_aliases", "off_label"}
)  # fmt: skip


@dataclass(frozen=True)
class ModuleSource:
    """A module's file as far as it counts."""

    digest: str  #: of its code
    imports: tuple[str, ...]  #: absolute names of all that it imports, modules or not


@dataclass(frozen=True)
class Library:
    """Where modules that count are looked for: ours, those of one method, and of its networks."""

    folder: Path | None = None  #: of a user's file, whose neighbours count if it imports them
    package: str = ""  #: the only top-level name there that counts, of an installed plug-in
    installed: Mapping[str, Path] = field(default_factory=dict)  #: top-level name -> its folder

    def find(self, name: str) -> Path | None:
        """File of a module, by its absolute name; None for what is not ours to follow."""
        top = name.partition(".")[0]
        if top == "ablate":
            return _file_of(_HOME.parent, name)
        if top in self.installed:
            return _file_of(self.installed[top], name)
        if self.folder is None or (self.package and top != self.package):
            return None
        return _file_of(self.folder, name)


@dataclass
class Codes:
    """Digests of code, each computed once for an expansion."""

    _known: dict[tuple[object, ...], str] = field(default_factory=dict)

    def of(self, config: JobConfig, file: str = "") -> str:
        """Digest of the code that a job reaches; `file` declares its method, if a user's."""
        networks = tuple(sorted(set(config.networks.values())))
        key = config.program, networks, config.data, file
        if key not in self._known:
            self._known[key] = job_code(config, file)
        return self._known[key]


def job_code(config: JobConfig, file: str = "") -> str:
    """Digest of the code that a job reaches; `file` declares its method, if a user's."""
    return _digest(_reached_by(config, file))


def module_digests(config: JobConfig, file: str = "") -> dict[str, str]:
    """Module -> start of the digest of its code, of all that a job reaches.

    Kept with a study, so that it can be said which module changed.
    """
    return {name: digest[:12] for name, digest in _reached_by(config, file).items()}


def _reached_by(config: JobConfig, file: str) -> dict[str, str]:
    names = [config.program.partition(":")[0]] if ":" in config.program else []
    names += [place.partition(":")[0] for place in _places(config)]
    installed = NETWORK_PLACES.installed() if _others(config) else {}
    entries = [installed[name] for name in _others(config) if name in installed]
    if entries:
        names += [NETWORK_PLACES.adapter.partition(":")[0], *(entry.module for entry in entries)]
    return _digests(names, file, _folders(entries))


def method_code(method: Method) -> str:
    """Digest of the code of a method's program, whatever it is run on."""
    names = [method.program.partition(":")[0]] if ":" in method.program else []
    return _digest(_digests(names, method.file))


def file_code(path: Path) -> str:
    """Digest of the code in a user's file and in the local modules that it imports.

    Of a script's declaration: of what it makes the script compute, and of the script's code.
    """
    found = _digests([], str(path))
    return _digest({name: digest for name, digest in found.items() if not _is_ours(name)})


def place_code(entry: EntryPoint) -> str:
    """Digest of the code that what a package brings reaches in that package."""
    found = _digests([entry.module], "", _folders([entry]))
    return _digest({name: digest for name, digest in found.items() if not _is_ours(name)})


def _folders(entries: Iterable[EntryPoint]) -> dict[str, Path]:
    """Top-level name -> the folder that holds it, of packages, none of which is imported."""
    found = {}
    for entry in entries:
        top = entry.module.partition(".")[0]
        spec = find_spec(top)
        if spec and spec.submodule_search_locations:
            found[top] = Path(next(iter(spec.submodule_search_locations))).parent
        elif spec and spec.origin:
            found[top] = Path(spec.origin).parent
    return found


def _digests(
    names: Iterable[str], file: str, installed: Mapping[str, Path] = MappingProxyType({})
) -> dict[str, str]:
    """Name -> digest of all code that these modules, and a user's file, reach."""
    script = script_digests(Path(file)) if is_script(file) else {}
    names = [*names, _SCRIPT_PROGRAM] if script else names
    modules = reached(names, "" if script else file, installed)
    return {name: _source(path).digest for name, path in modules.items()} | script


def reached(
    names: Iterable[str], file: str = "", installed: Mapping[str, Path] = MappingProxyType({})
) -> dict[str, Path]:
    """Module -> file, of all modules that these reach by imports; a user's file comes along.

    `installed`: top-level name -> its folder, of packages whose networks count.
    """
    found: dict[str, Path] = {}
    library = Library(installed=installed)
    waiting = list(names)
    if file:
        path = Path(file)
        if path.is_dir():  # a plug-in's package, all of which may train
            library = Library(path.parent, path.name, installed)
            waiting += [_module_name(one, path.parent) for one in sorted(path.rglob("*.py"))]
        else:
            library = Library(path.parent, installed=installed)
            found[path.stem] = path
            waiting += _source(path).imports
    while waiting:
        name = waiting.pop()
        for module in (*_parents(name), name):
            if module in found or module in NO_CODE:
                continue
            place = library.find(module)
            if place is not None:
                found[module] = place
                waiting += _imports(place, module)
    return found


def _places(config: JobConfig) -> Iterator[str]:
    """Where a job's networks and its data set stand, as far as they are ours."""
    for name in config.networks.values():
        if name in NETWORK_PLACES.built_in:
            yield NETWORK_PLACES.place(name)
    family = split_subset(config.data)[0].partition(":")[0].partition("@")[0]
    if family in DATA_PLACES.built_in:
        yield DATA_PLACES.place(family)


def _others(config: JobConfig) -> list[str]:
    """A job's networks that are not ours: the user's, or an installed package's."""
    return [name for name in config.networks.values() if name not in NETWORK_PLACES.built_in]


def _digest(digests: dict[str, str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(digests):
        digest.update(f"{name}\n{digests[name]}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "ablate"


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _file_of(folder: Path, name: str) -> Path | None:
    path = folder.joinpath(*name.split("."))
    for file in (path.parent / f"{path.name}.py", path / "__init__.py"):
        if file.is_file():
            return file
    return None


def _module_name(file: Path, folder: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path, module: str) -> Iterator[str]:
    """Absolute names of what a module imports; relative ones start from its package."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for name in _source(file).imports:
        dots = len(name) - len(name.lstrip("."))
        if not dots:
            yield name
            continue
        parts = package.split(".")
        yield ".".join(filter(None, (*parts[: len(parts) - dots + 1], name[dots:])))


def _source(file: Path) -> ModuleSource:
    stat = file.stat()
    return _read(file, stat.st_size, stat.st_mtime_ns)


@cache
def _read(file: Path, _size: int, _changed: int) -> ModuleSource:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    text = " ".join(_walk(tree))
    return ModuleSource(hashlib.sha256(text.encode()).hexdigest(), tuple(_imported(tree)))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            joint = "" if base.endswith(".") else "."
            yield from (f"{base}{joint}{alias.name}" for alias in node.names)


def code_text(source: str) -> str:
    """Text of a module's syntax tree without docstrings, words, positions and empty fields.

    Empty fields are left out because Python versions differ in which of them exist.
    """
    return " ".join(_walk(ast.parse(source)))


def _walk(node: object, *, words: bool = False) -> Iterator[str]:
    """Tokens of a tree; `words`: text in it is for people."""
    if words and isinstance(node, ast.Constant) and isinstance(node.value, str):
        return
    if isinstance(node, ast.AST):
        words = words or isinstance(node, ast.Raise) or _calls(node, _MESSAGES)
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if value is None or value == [] or name in ("ctx", "type_comment"):
                continue
            yield f"{name}="
            inner = _without_docstring(node, name, value)
            if name == "keywords" and _calls(node, _DECLARATIONS):
                for keyword in inner:
                    yield from _walk(keyword, words=words or keyword.arg in _WORDS)
            else:
                yield from _walk(inner, words=words)
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item, words=words)
    else:
        yield repr(node)


def _calls(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether a node calls one of these, by its bare name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _without_docstring(node: ast.AST, name: str, value: Any) -> Any:
    if name == "body" and isinstance(
        node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    ):
        return value[ast.get_docstring(node, clean=False) is not None :]
    return value
