"""`ablate init` and `ablate new`: the first files of a folder, and of a study."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli import complete
from ablate.cli.common import DebugOption, guarded, method_named, tell
from ablate.errors import InputError, Problem

if TYPE_CHECKING:
    from ablate.methods.method import Method
    from ablate.methods.parts import Part, Value

_SCHEMAS = Path(".ablate")  #: folder of the JSON Schemas, beside ablate.toml
_USUAL_PAIRS = ("resnet110/resnet32",)  #: of a method that says none
_STUDY_SCHEMA, _SETTINGS_SCHEMA = "study.schema.json", "settings.schema.json"


@guarded
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to begin in; it is made if missing.")
    ] = Path(),
    debug: DebugOption = False,
) -> None:
    """Write a commented ablate.toml and a first study.

    Example: ablate init my-project

    Nothing that exists is overwritten.
    """
    from ablate.methods.registry import find_method
    from ablate.study.json_schema import settings_schema, study_schema

    schemas = folder / _SCHEMAS
    study = folder / "studies" / "lpred_symmetry.toml"
    settings = f"#:schema ./{_SCHEMAS}/{_SETTINGS_SCHEMA}\n{_template('settings.toml')}"
    method = find_method("cocord")
    texts = {
        folder / "ablate.toml": settings,
        study: _study(study, method, method.part("prediction.direction")),
        schemas / _STUDY_SCHEMA: json.dumps(study_schema(), indent=1),
        schemas / _SETTINGS_SCHEMA: json.dumps(settings_schema(), indent=1),
    }
    for path, text in texts.items():
        there = os.path.lexists(path)
        if not there:
            _write(path, text)
        tell(f"{path}: {'was there, left as it is' if there else 'written'}")
    tell(f"next: ablate run {study}, then ablate report --table")


@guarded
def new(
    path: Annotated[Path, typer.Argument(metavar="STUDY", help="Study file to write.")],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="Name of a method, file.py:NAME or a script's file.toml.",
            autocompletion=complete.methods,
        ),
    ] = "cocord",
    part: Annotated[
        str,
        typer.Option(
            "--part",
            metavar="NAME",
            help="Part to ablate; default: the first.",
            autocompletion=complete.parts,
        ),
    ] = "",
    debug: DebugOption = False,
) -> None:
    """Write a commented study file to start from.

    Example: ablate new studies/temperature.toml --part temperature
    """
    from ablate.methods.method import NotFoundError
    from ablate.study.parse import name_problem

    target = path if path.suffix == ".toml" else path.parent / f"{path.name}.toml"
    if wrong := name_problem(target):
        raise InputError(Problem("STUDY", str(path), wrong, "studies/NAME.toml"))
    found = method_named(method, "--method")
    try:
        chosen = found.part(part) if part else found.parts[0]
    except NotFoundError as error:
        raise InputError(Problem("--part", "", error.message, error.right)) from None
    if os.path.lexists(target):
        raise InputError(Problem(str(target), "", "is there already", "another name"))
    _write(target, _study(target, found, chosen))
    tell(f"{target}: written")


def _study(path: Path, method: Method, part: Part) -> str:
    """A study that changes one part, to the values that the method declares or allows."""
    from ablate.study.plan_writing import method_name

    other = next((one for one in method.parts if one is not part), part)
    grid = [f"# parts.{one.name} = {_toml([one.baseline, *_others(one)])}" for one in (part, other)]
    text = _template("study.toml").format(
        schema=_schema_from(path),
        name=path.stem,
        title=part.label[:1].upper() + part.label[1:],
        question=f"What is the effect of the {part.label}?",
        method=method_name(method, path.parent),
        pairs=_toml(method.usual_pairs or _USUAL_PAIRS),
        metrics=_toml([metric.label for metric in method.metrics[:1]]),
        part=part.name,
        replacement=_toml(_others(part)),
        grid="\n".join(dict.fromkeys(grid)),
    )
    if method.roles:
        return text
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith("pairs")]
    return "".join(kept).replace("[profiles.quick]\n", "# [profiles.quick]\n# seeds = [0]\n")


def _toml(values: Sequence[Value]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def _others(part: Part) -> list[Value]:
    """Values to start from: all others of a choice, else the first other number that is allowed."""
    from ablate.methods.parts import Choice, same

    if isinstance(part.allowed, Choice):
        others = [value for value in part.allowed.values if not same(value, part.baseline)]
        return [part.value_labels.get(value, value) for value in others]
    number, kind = float(part.baseline), type(part.baseline)
    numbers = (kind(one) for one in (number / 2, number * 2, number + 1, number - 1))
    for value in (part.off, part.on, *numbers):
        with suppress(ValueError):
            if not same(part.allowed.parse(value), part.baseline):
                return [part.allowed.parse(value)]
    return []


def _schema_from(study: Path) -> str:
    """Where the study's schema is, told from the study."""
    from ablate.study.settings import find_settings

    try:
        home = find_settings(study.parent).parent
    except InputError:
        home = study.parent.parent if study.parent.name == "studies" else study.parent
    return Path(os.path.relpath(home / _SCHEMAS / _STUDY_SCHEMA, study.parent)).as_posix()


def _template(name: str) -> str:
    from importlib.resources import files

    return (files("ablate.cli") / "templates" / name).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise InputError(Problem(str(path), "", message)) from None
