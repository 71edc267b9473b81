"""Study file → study: what could be read, and every problem found on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.methods.method import Method, NotFoundError
from ablate.methods.registry import BUILT_IN, find_method
from ablate.study.model import StudyFile
from ablate.study.tomlfile import read_toml
from ablate.study.validation import MOST_PROBLEMS, validate

MOST_ENTRIES = 10_000  #: of one kind, such as [[variant]]

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
        """Note one thing that is wrong with the file.

        Raises:
            InputError: MOST_PROBLEMS are known; nobody reads more, and finding them takes time.
        """
        self.problems.append(Problem(str(self.path), key, message, right))
        if len(self.problems) >= MOST_PROBLEMS:
            text = f"these are the first {MOST_PROBLEMS} problems; the rest was not looked at"
            self.problems.append(Problem(str(self.path), "", text))
            self.check()

    def method(self, name: str, key: str) -> Method | None:
        """Look a method up by its name or title; None and a problem if there is none."""
        try:
            return find_method(_method_name(name), self.path.parent)
        except NotFoundError as error:
            self.problem(key, error.message, error.right)
            return None
        except InputError as error:  # of a script's declaration
            self.problems += error.problems
            return None

    def check(self) -> None:
        """Raise all problems at once, if there are any."""
        if self.problems:
            raise InputError(dict.fromkeys(self.problems))  # each once, however often it was met


def _method_name(words: str) -> str:
    """The name of one of the package's own methods, however its letters are written."""
    plain = words.strip().casefold()
    for method in BUILT_IN.values():
        if plain in (method.name.casefold(), method.title.casefold()):
            return method.name
    return words


def read_study(path: Path) -> Study:
    """Read a study file as far as it goes.

    Raises InputError only where nothing can be checked further: no file, no TOML, or no method;
    all else waits in the study's problems.
    """
    return read_document(read_toml(path), path)


def read_document(data: dict[str, Any], path: Path) -> Study:
    """Read a study from parsed TOML, which it changes; `path` names it in messages."""
    present = set(data)
    too_many = list(_too_many(data, path))
    if too_many:
        raise InputError(too_many)
    file, problems = validate(StudyFile, data, str(path))
    assert file is not None, "no key of a study is required by its model"
    if len(problems) > MOST_PROBLEMS:
        more = f"{len(problems) - MOST_PROBLEMS:,} more problems of this kind"
        raise InputError([*problems[:MOST_PROBLEMS], Problem(str(path), "", more)])
    study = Study(path, file, problems)
    _check_decided(study)
    if wrong_name := name_problem(path):
        study.problem("", wrong_name)
    wrong = {problem.key for problem in problems}
    for key, right in (("title", "a line for the table's head"), ("method", 'such as "cocord"')):
        if key not in present:
            study.problem(key, "is missing", right)
        elif not getattr(file, key) and key not in wrong:
            study.problem(key, "is empty", right)
    changing = {"ablation", "grid", "variant", "references"}
    if not any(getattr(file, key) for key in changing) and not wrong & changing:
        study.problem("", "the study changes nothing", "add [[ablation]], [[grid]] or [[variant]]")
    if not file.metrics and "metrics" in present:
        study.problem("metrics", "is empty", 'such as ["top1"]')
    if not file.method:
        study.check()
    return study


def name_problem(path: Path) -> str:
    """Why no study can have this file; "" if one can."""
    if _NAME.fullmatch(path.stem):
        return ""
    return "a study is named by its file, which may use A-Z a-z 0-9 _ . -"


def _check_decided(study: Study) -> None:
    """A study that a plan left open runs only after somebody decided."""
    right = "decide it, then delete this line"
    sentences = study.file.plan.open if study.file.plan else []
    if sentences:
        raise InputError(
            Problem(str(study.path), f"plan.open[{i}]", sentence, right)
            for i, sentence in enumerate(sentences)
        )


def _too_many(data: dict[str, Any], path: Path) -> Iterator[Problem]:
    """Refuse lists too long for a person to have written, before they take time to check."""
    for key, entries in data.items():
        if isinstance(entries, list) and len(entries) > MOST_ENTRIES and key != "seeds":
            message = f"has {len(entries):,} entries, and a study has at most {MOST_ENTRIES:,}"
            yield Problem(str(path), key, message, "several studies")
