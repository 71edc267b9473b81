"""Where methods are found: the package's own, installed plug-ins, and a file the user names.

A plug-in is an entry point in the group "ablate.methods" that yields a `Method`; a study may also
say `method = "path/to/file.py:NAME"`. That is the one place where a study makes code run, and it
does so only because the user named it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

from ablate.errors import did_you_mean
from ablate.methods.method import Method, NotFoundError
from ablate.methods.places import METHOD_PLACES, UNCLEAR, package
from ablate.methods.script import SUFFIX
from ablate.methods.script_file import read_script

BUILT_IN: dict[str, Method] = {name: METHOD_PLACES.load(name) for name in METHOD_PLACES.built_in}


def find_method(name: str, folder: Path = Path()) -> Method:
    """Method by name, or by "file.py:NAME" or "file.toml" relative to `folder`.

    Raises NotFoundError, which says which methods there are or what is wrong with the file, and
    InputError with all that is wrong with a script's declaration.
    """
    if clash := METHOD_PLACES.clashes(name):
        raise NotFoundError(clash, UNCLEAR)
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ".py:" in name:
        return _from_file(name, folder)
    if is_script(name):
        return _from_script(name, folder)
    plugins = METHOD_PLACES.installed()
    if name in plugins:
        return _from_plugin(plugins[name])
    names = [*BUILT_IN, *sorted(plugins)]
    hint = f'{did_you_mean(name, names)} or your own: "file.py:NAME" or "file.toml"'
    raise NotFoundError(f'no method "{name}"', hint)


def installed() -> list[Method]:
    """The package's own methods and those of all plug-ins that load."""
    methods = list(BUILT_IN.values())
    for entry in METHOD_PLACES.installed().values():
        with contextlib.suppress(NotFoundError):  # whoever names it is told
            methods.append(_from_plugin(entry))
    return methods


def _from_plugin(entry: EntryPoint) -> Method:
    named = f'the plug-in "{entry.name}" of the installed package {package(entry)}'
    try:
        method = entry.load()
    except (Exception, SystemExit) as error:
        text = f"{named} does not import: {_described(error)}"
        raise NotFoundError(text, entry.value) from error
    if not isinstance(method, Method):
        raise NotFoundError(f"{named} is no ablate Method", entry.value)
    # Its whole package counts as code that trains: nobody else knows which part of it does.
    whole = sys.modules[entry.module.partition(".")[0]]
    place = Path(whole.__file__ or "")
    code = place.parent if place.name == "__init__.py" else place
    # A method of a file may be installed as it is: its program is a function of the same module.
    program = method.program if ":" in method.program else f"{entry.module}:{method.program}"
    if ":" not in method.program and not hasattr(sys.modules[entry.module], method.program):
        text = f'{named} has no function "{method.program}", its program'
        raise NotFoundError(text, entry.value)
    file = str(code) if whole.__file__ else ""
    return replace(method, name=entry.name, program=program, file=file)


def _from_file(name: str, folder: Path) -> Method:
    path_text, _, attribute = name.rpartition(":")
    path = (folder / path_text).resolve()
    if not is_file(path):
        near = sorted(file.name for file in folder.glob("*.py"))
        raise NotFoundError(f"no file {path}", did_you_mean(path.name, near))
    module = import_file(path)
    method = getattr(module, attribute, None)
    if not isinstance(method, Method):
        names = [key for key, value in vars(module).items() if isinstance(value, Method)]
        hint = did_you_mean(attribute, names)
        raise NotFoundError(f'{path} has no Method named "{attribute}"', hint)
    if ":" not in method.program and not callable(getattr(module, method.program, None)):
        raise NotFoundError(
            f'{path} has no function "{method.program}", which {attribute} names as its program'
        )
    return replace(method, name=name, file=str(path))


def _from_script(name: str, folder: Path) -> Method:
    path = (folder / name).resolve()
    if not is_file(path):
        near = sorted(file.name for file in folder.glob(f"*{SUFFIX}"))
        raise NotFoundError(f"no file {path}", did_you_mean(path.name, near))
    return replace(read_script(path).method, name=name)


def is_users(name: str) -> bool:
    """Whether a method's name is that of a file of the user's."""
    return ".py:" in name or is_script(name)


def is_script(name: str) -> bool:
    """Whether a method's name, or its file, is the declaration of a script."""
    return name.endswith(SUFFIX)


def import_file(path: Path) -> ModuleType:
    """Run a method's file as a module of its own; NotFoundError if it does not import."""
    place = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:8]
    name = f"ablate_method_{path.stem}_{place}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader, "a file that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that a neighbour hides nothing installed
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise NotFoundError(f"{path} does not import: {_described(error)}") from error
    return module


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that is too long is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
