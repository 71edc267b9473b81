"""What `ablate import` made of an ablation: its study file, and whether that can run."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import InputError

if TYPE_CHECKING:
    from ablate.study.plan_files import StudyDraft
    from ablate.study.settings import Settings


@dataclass(frozen=True)
class Imported:
    """One ablation of a plan after an import."""

    draft: StudyDraft
    problems: Sequence[str] = ()  #: why the study can't run under the default profile
    other_profile: str = ""  #: one under which it can run, where it can't under the default

    @property
    def is_ready(self) -> bool:
        """Whether the study says what the plan says, with nothing open, and can run."""
        return not (self.draft.open or self.problems or self.draft.is_outdated)

    @property
    def headline(self) -> str:
        """The study's file, and what was done with it."""
        remark = self.draft.state.remark
        return f"{self.draft.path} ({remark})" if remark else str(self.draft.path)

    @property
    def details(self) -> Iterator[str]:
        """How the ablation was understood, and what the file leaves open."""
        study = self.draft.study
        if self.draft.text:
            if study.part is not None:
                values = (value for value in study.values if value is not None)
                changes = [study.part.describe(value) for value in values]
                yield f"  {study.part.name}: {', '.join(changes) or study.ablation.action.upper()}"
            yield from (f"  assumed: {text}" for text in study.assumed)
        yield from (f"  open: {sentence}" for sentence in self.draft.open)

    def to_json(self, document: Path) -> dict[str, Any]:
        """The record that `ablate import --json` prints."""
        record = self.draft.study.to_json(document, self.draft.path)
        return {
            **record,
            "open": list(self.draft.open),
            "file": str(self.draft.state),
            "refused": list(self.problems),
        }


@dataclass(frozen=True)
class StudyCheck:
    """Checks studies as `ablate run` would; it has no settings where there is no ablate.toml."""

    settings: Settings | None

    @classmethod
    def of(cls, folder: Path) -> StudyCheck:
        """The ablate.toml that a run of a study in this folder takes.

        Raises:
            InputError: that file is wrong.
        """
        from ablate.study.settings import find_settings, load_settings

        try:
            path = find_settings(Path(), folder)
        except InputError:
            return cls(None)
        return cls(load_settings(path))

    @property
    def profile(self) -> str:
        """The default profile."""
        return self.settings.profile if self.settings else ""

    def accepted(self, draft: StudyDraft) -> tuple[Sequence[str], str]:
        """Why a study can't run under the default profile, and a profile under which it can."""
        if self.settings is None or draft.open:
            return (), ""
        problems = self._problems(draft, self.profile)
        if not problems:
            return (), ""
        others = (name for name in self.settings.profiles if name != self.profile)
        fitting = (name for name in others if not self._problems(draft, name))
        return problems, next(fitting, "")

    def _problems(self, draft: StudyDraft, profile: str) -> list[str]:
        from ablate.matrix.expand import expand
        from ablate.study.parse import read_document, read_study

        assert self.settings is not None, "whoever asks has looked"
        try:
            if draft.text:
                study = read_document(tomllib.loads(draft.text), draft.path)
            else:
                study = read_study(draft.path)
            expand(study, self.settings, profile)
        except InputError as error:
            prefix = f"{draft.path}: "
            return [str(problem).removeprefix(prefix) for problem in error.problems]
        return []
