"""What commands share: their options, and how errors reach the user."""

from __future__ import annotations

import functools
import json
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ablate.cli import complete
from ablate.cli.paragraphs import wrapped
from ablate.console import clean
from ablate.errors import AblateError, InputError, Problem, Remedy, UnclearError, helped
from ablate.letters import in_letters_of

if TYPE_CHECKING:
    from ablate.methods.method import Method
    from ablate.study.settings import Settings


def study_file(study: Path) -> Path:
    """The file of a study that is named by its name alone, in this folder or in studies/."""
    if study.exists() or study.suffix or len(study.parts) != 1:
        return study
    places = (Path(f"{study}.toml"), Path("studies", f"{study}.toml"))
    return next((place for place in places if place.is_file()), study)


def study_name(study: str | None) -> str | None:
    """The name of a study that is named by its file."""
    return Path(study).stem if study and study.endswith(".toml") else study


def _folder_of(study: str | None) -> Path | None:
    """The folder of a study that is named by its file."""
    return Path(study).parent if study and study.endswith(".toml") else None


ResultsOption = Annotated[
    str | None,
    typer.Option("--results", metavar="DIR", help="Results folder; default from ablate.toml."),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Profile of ablate.toml to run under.",
        autocompletion=complete.profiles,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the profile."),
]
SeedsOption = Annotated[
    str | None,
    typer.Option(
        "--seeds", help="Seeds instead of the study's, such as 0-4 or 0,2,5; 3, is seed 3."
    ),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StudyArgument = Annotated[
    Path,
    typer.Argument(
        help="Study file, or its name.",
        show_default=False,
        callback=study_file,
        autocompletion=complete.study_files,
    ),
]
StudyNameArgument = Annotated[
    str | None,
    typer.Argument(
        help="Name of a study, or its file.",
        show_default=False,
        autocompletion=complete.study_names,
    ),
]

#: Commands that read or write no results folder.
ELSEWHERE = frozenset({"check", "import", "init", "new", "parts", "schema"})

#: A command that acts on results, as messages name one.
_COMMAND = re.compile(rf"`(ablate (?!(?:{'|'.join(sorted(ELSEWHERE))})\b)[^`]*)`")

_MOST_OFFERED = 4  #: commands, one for each thing that a name could mean

Command = TypeVar("Command", bound=Callable[..., Any])
Format = TypeVar("Format", bound=StrEnum)


def guarded(command: Command) -> Command:
    """Show errors as sentences and end with their exit code; tracebacks only with --debug."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except AblateError as error:
            if kwargs.get("debug"):
                traceback.print_exc()
            else:
                if isinstance(error, UnclearError):
                    names = error.clear[:_MOST_OFFERED]
                    error.helped_by(*(Remedy(command.__name__, (name,)) for name in names))
                complain(error, kwargs.get("results"))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:  # `ablate export | head`
            sys.stderr.close()
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if kwargs.get("debug"):
                traceback.print_exc()
            else:
                words = f"internal error: {type(error).__name__}: {error}"
                complain(AblateError(f"{words}; add --debug for a traceback"))
            raise typer.Exit(1) from None

    return wrapper  # type: ignore[return-value]


def complain(error: AblateError, results: str | None = None) -> None:
    """Print an error to stderr, a line for each problem; `results` is what --results said."""
    problems = error.problems if isinstance(error, InputError) else [error.sentence]
    for problem in problems:
        text = f"error: {problem}"
        tell(aimed(text, Path(results)) if results else text, err=True)
    if error.remedies:
        text = helped("  try", error.remedies)
        tell(aimed(text, Path(results)) if results else text, err=True)


def usage_error(error: Exception) -> int:
    """Print what is wrong with a command line as all other errors are; its exit code.

    Raises the error if it is no fault of the command line.
    """
    if isinstance(error, typer.Abort):
        return 130
    message = getattr(error, "format_message", None)
    if message is None:
        raise error
    context = getattr(error, "ctx", None)
    text = message()
    if context is not None and text == context.get_help():  # no arguments at all
        typer.echo(text, err=True)
    else:
        command = context.command_path if context is not None else "ablate"
        complain(InputError(Problem(command, "", text, f"`{command} --help`")))
    return int(getattr(error, "exit_code", 2))


def tell(text: str, *, err: bool = False, wrap: bool = False) -> None:
    """Print text for people, with nothing in it that steers their terminal.

    In letters that it has; `wrap`: in lines that fit it.
    """
    stream = sys.stderr if err else sys.stdout
    text = in_letters_of(stream.encoding or "utf-8", text)
    typer.echo(clean(wrapped(text) if wrap else text), err=err)


def print_json(record: object) -> None:
    """Print a record as JSON; what JSON has no word for is printed as text."""
    typer.echo(json.dumps(record, indent=2, default=str))


def settings_for(study: Path | None = None) -> Settings:
    """The ablate.toml above the working directory, or else above the study file."""
    from ablate.study.settings import find_settings, load_settings

    return load_settings(find_settings(Path(), *([study.parent] if study else [])))


def results_option(results: Path) -> str:
    """The option that leads another command to these results; "" if it would go there anyway."""
    with suppress(InputError):
        if results_folder(None) == results.resolve():
            return ""
    return f" --results {shlex.quote(str(results))}"


def aimed(text: str, results: Path) -> str:
    """A message whose commands, in backquotes, act on these results when run as they stand.

    The rooms that write messages know no options; where a command was told of another folder, so
    must be those that it leads to.
    """
    if not _COMMAND.search(text):
        return text
    option = results_option(results)
    return _COMMAND.sub(lambda found: f"`{found[1]}{option}`", text)


def in_command(text: str, remedies: Iterable[Remedy], results: Path) -> str:
    """A sentence and the commands that help, as they are to be typed from here."""
    return aimed(helped(text, remedies), results)


def filled(option: str, text: str) -> str:
    """What an option says; InputError if that is nothing, as a shell's unset variable gives it.

    Nothing would mean the working directory, or what holds without the option.
    """
    if not text.strip():
        raise InputError(Problem(option, "", "is empty", "leave it out for the default"))
    return text


def results_folder(
    results: str | None, settings: Settings | None = None, *, beside: Path | None = None
) -> Path:
    """--results, or what ablate.toml says: these settings, or those of the working directory.

    `beside`: the folder of a study, above which ablate.toml is looked for next, as a run does.
    """
    if results is not None:
        return _in_utf_8(Path(filled("--results", results)))
    if settings is not None:
        return _in_utf_8(settings.path(settings.results))
    from ablate.study.settings import find_settings, load_settings

    try:
        file = find_settings(Path(), *([beside] if beside else []))
    except InputError as error:
        right = "`--results DIR` says where results are"
        raise InputError(replace(problem, right=right) for problem in error.problems) from None
    settings = load_settings(file)
    return _in_utf_8(settings.path(settings.results))


def data_folder() -> Path:
    """Where data sets are kept, as ablate.toml says it for the working directory."""
    from ablate.study.settings import find_settings, load_settings

    settings = load_settings(find_settings(Path()))
    return settings.path(settings.data_dir)


def _in_utf_8(folder: Path) -> Path:
    """The same folder; InputError for a path that the index, a database, could not be opened by."""
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError:
        message = "is no text in UTF-8, so no index can be kept there"
        raise InputError(Problem("--results", str(folder), message, "another folder")) from None
    return folder


def profile_of(profile: str | None, settings: Settings) -> str:
    """--profile, or what ablate.toml says."""
    return settings.profile if profile is None else filled("--profile", profile)


def method_named(name: str, option: str) -> Method:
    """The method of a name or of file.py:NAME; InputError says which option named it."""
    from ablate.methods.method import NotFoundError
    from ablate.methods.registry import find_method

    try:
        return find_method(name)
    except NotFoundError as error:
        raise InputError(Problem(option, "", error.message, error.right)) from None


def existing_results(results: str | None, study: str | None = None) -> Path:
    """The results folder of a command that only reads; InputError if there is none.

    `study`: a name, or a file, whose results are looked for where its run puts them.
    """
    from ablate.store.results_format import refuse_parent

    folder = results_folder(results, beside=_folder_of(study))
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "", "no such results folder", "ablate run makes it"))
    refuse_parent(folder)
    return folder


def format_of(out: Path, endings: Mapping[str, Format]) -> Format:
    """The format that a file's ending names; InputError if it names none."""
    if out.suffix not in endings:
        message = f'the ending "{out.suffix}" names no format'
        right = f"one of {', '.join(endings)}, or --format"
        raise InputError(Problem("--out", str(out), message, right))
    return endings[out.suffix]
