"""Study file → draft: what could be read, and every problem found on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ablate.errors import InputError, Problem
from ablate.settings import read_toml, validate
from ablate.study.model import Study

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass
class Draft:
    """A study on its way to a matrix; problems gather here until all are known."""

    path: Path
    study: Study
    problems: list[Problem] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The study's name, which is its file's."""
        return self.path.stem

    def problem(self, key: str, message: str, right: str = "") -> None:
        """Note one thing that is wrong with the file."""
        self.problems.append(Problem(str(self.path), key, message, right))

    def check(self) -> None:
        """Raise all problems at once, if there are any."""
        if self.problems:
            raise InputError(self.problems)


def read_study(path: Path) -> Draft:
    """Read a study file as far as it goes.

    Raises InputError only where nothing can be checked further: no file, no TOML, or a required
    key missing; all else waits in the draft's problems.
    """
    data = read_toml(path)
    study, problems = validate(Study, data, str(path))
    if not _NAME.fullmatch(path.stem):
        problems.append(
            Problem(str(path), "", "a study is named by its file, which may use A-Z a-z 0-9 _ . -")
        )
    if study is None:
        raise InputError(problems)
    draft = Draft(path, study, problems)
    if not (study.ablation or study.grid or study.variant or study.references) and not problems:
        draft.problem("", "the study changes nothing", "add [[ablation]], [[grid]] or [[variant]]")
    for key in ("seeds", "metrics"):
        values = getattr(study, key)
        if not values or len(set(values)) != len(values):
            draft.problem(key, "needs at least one value, and each only once")
    return draft
