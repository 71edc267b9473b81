"""The options that make a study the one that it is: profile, overrides and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.cli.common import parse_overrides, parse_seeds, profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ablate.matrix.plan import Matrix
    from ablate.study.parse import Study
    from ablate.study.settings import Settings, TomlValue


@dataclass(frozen=True)
class StudyOptions:
    """Settings, and what the command line changes in them for every study that it names."""

    settings: Settings
    profile: str
    overrides: Mapping[str, TomlValue]
    seeds: Sequence[int] | None  #: None: those of the study

    @classmethod
    def parse(
        cls,
        settings: Settings,
        *,
        profile: str | None,
        set_: list[str] | None,
        seeds: str | None,
    ) -> StudyOptions:
        """Read --profile, --set and --seeds as a user writes them; InputError if one is wrong."""
        name = profile_of(profile, settings)
        return cls(settings, name, parse_overrides(set_), parse_seeds(seeds))

    def expand(self, study: Study, seeds: Sequence[int] | None = None) -> Matrix:
        """All jobs of a study under these options, with other `seeds` if some are named.

        Raises:
            InputError: the study or an option is wrong.
        """
        from ablate.matrix.expand import expand

        chosen = self.seeds if seeds is None else seeds
        chosen = None if chosen is None else list(chosen)
        return expand(study, self.settings, self.profile, self.overrides, chosen)
