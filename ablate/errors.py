"""One error tree; every error that a user can meet is one of these.

AblateError                 exit code 1
├── InputError              exit code 2: a file, an option or a name is wrong; carries every Problem
│   └── UnclearError        a name that several things have; carries names that are clear
├── BusyError               another process holds what was asked for
├── StoreError              the results folder or its index cannot be read or written
├── JobError                what a worker reports when its job ends badly
│   ├── DivergedError       a loss or a metric became NaN or infinite
│   ├── CrashError          a process that the program had started was killed
│   └── DeviceMemoryError   the device ran out of memory
└── Interrupted             exit code 130: asked to stop, and stopped
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input, where it is, and what would be right."""

    where: str  #: file, option or environment variable, e.g. "studies/tau.toml"
    key: str  #: dotted key inside it, "" for the whole, e.g. "ablation[0].replacement[1]"
    message: str  #: what is wrong
    right: str = ""  #: what would be right, e.g. 'did you mean "temperature"?'

    def __str__(self) -> str:
        place = f"{self.where}: {self.key}" if self.key else self.where
        return f"{place}: {self.message}" + (f" ({self.right})" if self.right else "")


@dataclass(frozen=True)
class Remedy:
    """A command that helps, as data: the command line says how it reads from where the user is.

    `Remedy("retry", ("--gone", "1f2e3d4c5b"))` is shown as `ablate retry --gone 1f2e3d4c5b`.
    """

    command: str  #: "run", "retry", ...
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return shlex.join(["ablate", self.command, *self.arguments])


def helped(sentence: str, remedies: Iterable[Remedy]) -> str:
    """A sentence and the commands that help: "try: `ablate reindex`"."""
    commands = " or ".join(f"`{remedy}`" for remedy in remedies)
    return f"{sentence}: {commands}" if commands else sentence


class AblateError(Exception):
    """Base of all errors that are shown to a user as a sentence."""

    exit_code = 1
    remedies: tuple[Remedy, ...] = ()  #: commands that help, shown after the sentence

    @property
    def sentence(self) -> str:
        """What happened, without the commands that help."""
        return super().__str__()

    def __str__(self) -> str:
        return helped(f"{self.sentence}; try", self.remedies) if self.remedies else self.sentence

    def helped_by(self, *remedies: Remedy) -> Self:
        """The same error with commands that help."""
        self.remedies = remedies
        return self


class InputError(AblateError):
    """Input that cannot be used; holds all problems found, not just the first."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        return type(self), (
            self.problems,
        )  # else a copy in another process takes the text for them


class UnclearError(InputError):
    """A name that several things have; the command line offers itself with each clear one."""

    def __init__(self, problem: Problem, clear: Sequence[str]) -> None:
        super().__init__(problem)
        self.clear = tuple(clear)

    def __reduce__(self) -> tuple[type[UnclearError], tuple[Problem, tuple[str, ...]]]:  # type: ignore[override]
        return type(self), (*self.problems, self.clear)  # type: ignore[return-value]


class BusyError(AblateError):
    """The results folder is in use by another orchestrator."""


class StoreError(AblateError):
    """The results folder or its index cannot be used as asked."""


class JobError(AblateError):
    """A job that ended badly, as its worker reports it."""


class DivergedError(JobError):
    """A loss or a metric became NaN or infinite; running it again would end the same way."""


class CrashError(JobError):
    """A process that the program had started was killed; another attempt may get further."""


class DeviceMemoryError(JobError):
    """The device ran out of memory; alone on its device the job may fit."""


#: What torch and the libraries below it say where memory is full; few have a class for it.
_MEMORY_IS_FULL = (
    "out of memory",
    "alloc_failed",  # cuBLAS and cuDNN
    "cudnn_status_not_initialized",  # of a broken installation, too
    "defaultcpuallocator",
)


def says_out_of_memory(error: BaseException) -> bool:
    """Whether an error tells of full memory, be it raised by a library that is not loaded here."""
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _MEMORY_IS_FULL)


class Interrupted(AblateError):  # noqa: N818 - a stop on request is no error
    """Raised inside a worker after its checkpoint was written because a stop was asked for."""

    exit_code = 130


def did_you_mean(wrong: str, names: Sequence[str], also: Mapping[str, str] | None = None) -> str:
    """Say which of `names` comes closest to `wrong`, or list them all.

    The closest has the fewest edits, whatever their case; of several the one whose case is closer,
    then the first. `also`: what else a user may write -> what would be right then;
    such words are not listed.
    """
    meant = {**{name: name for name in names}, **(also or {})}
    folded = {word: word.casefold() for word in meant}
    plain = wrong.casefold()
    close = set(difflib.get_close_matches(plain, folded.values(), n=max(1, len(meant)), cutoff=0.6))
    near = [word for word in meant if folded[word] in close]
    if near:
        best = min(near, key=lambda word: (_edits(plain, folded[word]), _edits(wrong, word)))
        return f'did you mean "{meant[best]}"?'
    return "one of: " + ", ".join(names) if names else ""


def _edits(one: str, other: str) -> int:
    """Letters to insert, remove or replace to turn one word into the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, row = row, [i]
        for j, another in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != another)))
    return row[-1]
