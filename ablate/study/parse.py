"""Study file → study: what could be read, and every problem found on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.methods.method import Method, NotFoundError
from ablate.methods.registry import find_method
from ablate.study.model import StudyFile
from ablate.study.tomlfile import read_toml, validate

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass
class Study:
    """A study on its way to a matrix; problems gather here until all are known."""

    path: Path
    file: StudyFile
    problems: list[Problem] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The study's name, which is its file's."""
        return self.path.stem

    def copy(self) -> Study:
        """A study of its own for whoever looks for further problems."""
        return Study(self.path, self.file, list(self.problems))

    def problem(self, key: str, message: str, right: str = "") -> None:
        """Note one thing that is wrong with the file."""
        self.problems.append(Problem(str(self.path), key, message, right))

    def method(self, name: str, key: str) -> Method | None:
        """Look a method up; None and a problem if there is none."""
        try:
            return find_method(name, self.path.parent)
        except NotFoundError as error:
            self.problem(key, error.message, error.right)
            return None

    def check(self) -> None:
        """Raise all problems at once, if there are any."""
        if self.problems:
            raise InputError(dict.fromkeys(self.problems))  # each once, however often it was met


def read_study(path: Path) -> Study:
    """Read a study file as far as it goes.

    Raises InputError only where nothing can be checked further: no file, no TOML, or no method;
    all else waits in the study's problems.
    """
    return read_document(read_toml(path), path)


def read_document(data: dict[str, Any], path: Path) -> Study:
    """Read a study from parsed TOML, which it changes; `path` names it in messages."""
    given = set(data)
    file, problems = validate(StudyFile, data, str(path))
    assert file is not None, "no key of a study is required by its model"
    study = Study(path, file, problems)
    _check_decided(study)
    if not _NAME.fullmatch(path.stem):
        study.problem("", "a study is named by its file, which may use A-Z a-z 0-9 _ . -")
    told = {problem.key for problem in problems}
    for key, right in (("title", "a line for the table's head"), ("method", 'such as "cocord"')):
        if key not in given:
            study.problem(key, "is missing", right)
        elif not getattr(file, key) and key not in told:
            study.problem(key, "is empty", right)
    changing = {"ablation", "grid", "variant", "references"}
    if not any(getattr(file, key) for key in changing) and not told & changing:
        study.problem("", "the study changes nothing", "add [[ablation]], [[grid]] or [[variant]]")
    if not file.metrics and "metrics" in given:
        study.problem("metrics", "is empty", 'such as ["top1"]')
    if not file.method:
        study.check()
    return study


def _check_decided(study: Study) -> None:
    """A study that a plan left open runs only after somebody decided."""
    right = "decide it, then delete this line"
    for i, sentence in enumerate(study.file.plan.open if study.file.plan else ()):
        study.problem(f"plan.open[{i}]", sentence, right)
    if study.file.plan and study.file.plan.open:
        study.check()
