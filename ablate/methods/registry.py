"""Where methods are found: the package's own, installed plug-ins, and a file the user names.

A plug-in is an entry point in the group "ablate.methods" that yields a `Method`; a study may also
say `method = "path/to/file.py:NAME"`. That is the one place where a study makes code run, and it
does so only because the user named it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

from ablate.errors import did_you_mean
from ablate.methods.cocord import COCORD, COCORD_KD
from ablate.methods.method import Method
from ablate.methods.references import CRD, KD, STUDENT
from ablate.methods.teachers import TEACHER

BUILT_IN: dict[str, Method] = {
    method.name: method for method in (COCORD, COCORD_KD, TEACHER, STUDENT, KD, CRD)
}


def find_method(name: str, folder: Path = Path()) -> Method:
    """Method by name, or by "file.py:NAME" relative to `folder`.

    Raises ValueError whose text says which methods there are, or what is wrong with the file.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ".py:" in name:
        return _from_file(name, folder)
    plugins = entry_points(group="ablate.methods")
    if name in plugins.names:
        method = plugins[name].load()
        if not isinstance(method, Method):
            raise ValueError(f'the plug-in "{name}" is no ablate Method')
        return method
    raise ValueError(
        f'no method "{name}": {did_you_mean(name, [*BUILT_IN, *plugins.names])}'
        ' (a method of your own: "file.py:NAME")'
    )


def _from_file(name: str, folder: Path) -> Method:
    path_text, _, attribute = name.rpartition(":")
    path = (folder / path_text).resolve()
    if not path.is_file():
        raise ValueError(f"no file {path}")
    spec = importlib.util.spec_from_file_location(f"ablate_method_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path} does not import: {type(error).__name__}: {error}") from error
    method = getattr(module, attribute, None)
    if not isinstance(method, Method):
        raise ValueError(f'{path} has no Method named "{attribute}"')
    return replace(method, name=name, file=str(path))
