"""A study as its file says it, in the words of an ablation plan.

An entry of a list is None where the file had something wrong there, so that the others keep
their place in messages.

A study under a profile differs from its file in up to three ways. A section `[profiles.NAME]` may
give other pairs, other seeds and other values of the baseline. And an ablation, a grid or a
variant may say `profiles = ["paper"]`: it then belongs to those profiles only, because it makes no
sense elsewhere (colour jitter on grey digits) or costs too much there (a fine grid). What a
profile leaves out is said below its table, so that no matrix is truncated in silence.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, field_validator, model_validator

from ablate.study.seeds import Seeds
from ablate.study.tomlfile import (
    PathText,
    Scalar,
    Strict,
    Text,
    TomlValue,
    Values,
    clean_text,
    flatten,
    scalar,
)

Action = Literal["REPLACE", "REMOVE", "ADD"]


def _row_names(value: object) -> list[str | dict[str, TomlValue]]:
    names: list[str | dict[str, TomlValue]] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip():
            names.append(clean_text(item))
        elif isinstance(item, dict) and item:
            names.append({part: scalar(one) for part, one in flatten(item).items()})
        else:
            raise ValueError("should be rows' labels, or tables of part = value")
    if not names:
        raise ValueError("is empty; write rows' labels, or tables of part = value")
    return names


_ROW_NAMES_SCHEMA = {
    "description": "Rows: a label, a table of part = value, or a list of these.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "object", "minProperties": 1},
        {"type": "array", "items": {"type": ["string", "object"]}, "minItems": 1},
    ],
}
RowNames = Annotated[
    list[str | dict[str, TomlValue]],
    PlainValidator(_row_names),
    WithJsonSchema(_ROW_NAMES_SCHEMA),
]


class PairEntry(Strict):
    """A teacher and the student it teaches; "teacher/student" for short, or only "student"."""

    teacher: str = ""
    student: str
    teacher_checkpoint: PathText = ""  #: file with the teacher's weights, relative to the study

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            teacher, slash, student = value.partition("/")
            return {"teacher": teacher, "student": student} if slash else {"student": teacher}
        if isinstance(value, dict):
            return value
        raise ValueError('should be "teacher/student" or a table with both')

    @property
    def name(self) -> str:
        """As tables print it."""
        return f"{self.teacher}/{self.student}" if self.teacher else self.student


class RowsEntry(Strict):
    """Something that adds rows to the study's table."""

    profiles: list[str] = Field(default_factory=list)  #: the only ones it belongs to; []: to all

    def belongs(self, profile: str) -> bool:
        """Whether its rows are part of the study under this profile."""
        return not self.profiles or profile in self.profiles


class AblationEntry(RowsEntry):
    """One part, changed to each value in turn: REPLACE, or its off-value, or its on-value."""

    ablated_part: str
    action: Action = "REPLACE"
    replacement: list[Scalar | None] = Field(default_factory=list)
    baseline: Scalar | None = None  #: value of the reference row; it may be in the list, too

    @field_validator("action", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("replacement", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]


class GridEntry(RowsEntry):
    """Every combination of the values of several parts."""

    parts: dict[str, list[Scalar | None]]

    @field_validator("parts", mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v if isinstance(v, list) else [v] for k, v in flatten(value).items()}


class VariantEntry(RowsEntry):
    """One variant that sets several parts at once."""

    label: Text = ""
    set: Values


class ContrastEntry(Strict):
    """The difference between two rows, or between the means of two groups of rows.

    A row is named by its label, "baseline" for the baseline's; a table of part = value names every
    row of the study's method that has these values.
    """

    name: Text
    rows: RowNames
    against: RowNames
    pairs: list[str] = Field(default_factory=list)  #: the only ones it is about; []: each pair


class PairGroupEntry(Strict):
    """Pairs over which the table makes one statement per row."""

    name: Text
    pairs: list[str] = Field(default_factory=list)  #: []: all pairs of the study


class ProfileEntry(Strict):
    """What the study does differently under one profile."""

    elsewhere: ClassVar = {
        "settings": "they belong in ablate.toml; for this study only, in `baseline` here"
    }

    pairs: list[PairEntry | None] | None = None
    seeds: Seeds | None = None
    baseline: Values = Field(default_factory=dict)


class PlanEntry(Strict):
    """The words of the plan document that `ablate import` made the study from."""

    document: str
    sha256: str
    line: int
    name: str
    ablated_part: str
    action: str
    replacement: list[str] = Field(default_factory=list)
    metrics: list[str] = Field(default_factory=list)
    rationale: str = ""
    open: list[str] = Field(default_factory=list)  #: what a person has to decide before a run


class StudyFile(Strict):
    """A study file as it stands on disk."""

    title: Text = ""
    question: Text = ""
    answers: Text = ""  #: the published table or plan that the study answers
    method: PathText = ""
    pairs: list[PairEntry | None] = Field(default_factory=list)
    seeds: Seeds | None = None
    metrics: list[str | None] = Field(default_factory=list)
    #: Differences smaller than this, in the first metric's unit, are equivalent to the baseline.
    margin: float | None = Field(None, gt=0)
    baseline: Values = Field(default_factory=dict)
    ablation: list[AblationEntry | None] = Field(default_factory=list)
    grid: list[GridEntry | None] = Field(default_factory=list)
    variant: list[VariantEntry | None] = Field(default_factory=list)
    references: list[PathText | None] = Field(default_factory=list)
    contrast: list[ContrastEntry | None] = Field(default_factory=list)
    pair_group: list[PairGroupEntry | None] = Field(default_factory=list)
    profiles: dict[str, ProfileEntry] = Field(default_factory=dict)
    plan: PlanEntry | None = None

    @field_validator("metrics", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    def sections(self) -> dict[str, ProfileEntry]:
        """Key -> what stands under it: the file's own top level is a section, too."""
        given = "pairs" in self.model_fields_set
        own = ProfileEntry.model_construct(
            pairs=self.pairs if given else None, seeds=self.seeds, baseline=self.baseline
        )
        return {"": own, **{f"profiles.{name}.": entry for name, entry in self.profiles.items()}}
