"""Studies written in a test, expanded under the repository's own ablate.toml or another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ablate.errors import InputError, Problem
from ablate.matrix.expand import expand
from ablate.matrix.plan import Matrix, PlannedJob
from ablate.methods.session import JobConfig
from ablate.study.parse import read_study
from ablate.study.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "studies").glob("*.toml"))
HEAD = 'title = "T"\nmethod = "cocord"\npairs = ["resnet14/resnet8"]\n'
TAU = '[[ablation]]\nablated_part = "temperature"\naction = "REPLACE"\nreplacement = [0.2, 0.5]\n'


@dataclass
class Lab:
    """A folder with study files."""

    folder: Path
    settings: Settings

    def write(self, text: str, name: str = "study") -> Path:
        path = self.folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def use(self, text: str) -> None:
        """Another ablate.toml."""
        (self.folder / "ablate.toml").write_text(text, encoding="utf-8")
        self.settings = load_settings(self.folder / "ablate.toml")

    def expand(
        self,
        text: str,
        profile: str = "quick",
        overrides: Mapping[str, object] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Matrix:
        study = read_study(self.write(text))
        return expand(study, self.settings, profile, overrides, seeds)  # type: ignore[arg-type]

    def problems(
        self, text: str, profile: str = "quick", overrides: Mapping[str, object] | None = None
    ) -> list[Problem]:
        with pytest.raises(InputError) as caught:
            self.expand(text, profile, overrides)
        return list(caught.value.problems)

    def problem(
        self, text: str, profile: str = "quick", overrides: Mapping[str, object] | None = None
    ) -> tuple[str, str, str]:
        """(key, message, what would be right) of the one problem."""
        found = self.problems(text, profile, overrides)
        assert len(found) == 1, [str(problem) for problem in found]
        assert found[0].where in (str(self.folder / "study.toml"), "ablate.toml", "--set")
        return found[0].key, found[0].message, found[0].right


def labels(matrix: Matrix) -> list[str]:
    return [variant.label for variant in matrix.plan.variants]


def configs(matrix: Matrix, kind: str) -> list[JobConfig]:
    return [config for config in matrix.configs.values() if config.kind == kind]


def jobs_of(matrix: Matrix, label: str) -> list[PlannedJob]:
    return [job for job in matrix.plan.jobs if job.variant == label]
