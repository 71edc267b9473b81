"""Data sets that installed packages bring, by entry points in the group "ablate.data".

An entry point names where the images lie, "npz:PATH" or "folder:PATH@SIZE" as a profile would, or a
function of no arguments that returns it; a relative path starts at the folder of its module. So a
package's images are counted, digested and read like a user's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ablate.errors import InputError, Problem
from ablate.methods.places import DATA_PLACES, UNCLEAR, load_entry, package

_KINDS = ("npz:", "folder:")


def installed_data(name: str) -> str | None:
    """Where the images of a package's data set lie, "npz:PATH" or "folder:PATH@SIZE".

    None where no package brings this name. Raises `InputError` that names the package, for what
    does not import or says something else.
    """
    entry = DATA_PLACES.installed().get(name)
    if entry is None:
        return None
    if clash := DATA_PLACES.clashes(name):
        raise InputError(Problem("data", name, clash, UNCLEAR))
    place = load_entry(entry)
    try:
        place = place() if callable(place) else place
    except (Exception, SystemExit) as error:  # whatever a package's code may raise
        message = f"{package(entry)}'s {entry.value} fails: {type(error).__name__}: {error}"
        right = f"reinstall or uninstall {package(entry)}"
        raise InputError(Problem("data", name, message, right)) from error
    kind = next((kind for kind in _KINDS if isinstance(place, str) and place.startswith(kind)), "")
    if not kind:
        message = f"{package(entry)}'s {entry.value} gives {place!r}"
        right = '"npz:PATH" or "folder:PATH@SIZE", or a function that returns one'
        raise InputError(Problem("data", name, message, right))
    folder = Path(sys.modules[entry.module].__file__ or "").parent
    return f"{kind}{folder / Path(place.removeprefix(kind)).expanduser()}"


def data_origin(name: str) -> str:
    """Sentence that says which package brings a data set; "" where none does."""
    entry = DATA_PLACES.installed().get(name)
    return f"{name} is a data set of the installed package {package(entry)}" if entry else ""
