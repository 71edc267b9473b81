"""A study as its file says it, in the words of an ablation plan.

An entry of a list is None where the file had something wrong there, so that the others keep
their place in messages.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ablate.settings import Strict, TomlValue, flatten

Action = Literal["REPLACE", "REMOVE", "ADD"]


class PairEntry(Strict):
    """A teacher and the student it teaches; "teacher/student" for short, or only "student"."""

    teacher: str = ""
    student: str
    teacher_checkpoint: str = ""  #: file with the teacher's weights, relative to the study file

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            teacher, slash, student = value.partition("/")
            return {"teacher": teacher, "student": student} if slash else {"student": teacher}
        return value

    @property
    def name(self) -> str:
        """As tables print it."""
        return f"{self.teacher}/{self.student}" if self.teacher else self.student


class AblationEntry(Strict):
    """One part, changed to each value in turn: REPLACE, or its off-value, or its on-value."""

    ablated_part: str
    action: Action
    replacement: list[TomlValue | None] = Field(default_factory=list)
    baseline: TomlValue | None = None  #: which value is the reference row, where it is in the list

    @field_validator("action", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("replacement", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]


class GridEntry(Strict):
    """Every combination of the values of several parts."""

    parts: dict[str, list[TomlValue]]

    @field_validator("parts", mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        return flatten(value) if isinstance(value, dict) else value


class VariantEntry(Strict):
    """One variant that sets several parts at once."""

    label: str = ""
    set: dict[str, TomlValue]

    @field_validator("set", mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        return flatten(value) if isinstance(value, dict) else value


class ProfileEntry(Strict):
    """What the study does differently under one profile."""

    pairs: list[PairEntry | None] | None = None
    seeds: list[int] | None = None
    baseline: dict[str, TomlValue] = Field(default_factory=dict)

    @field_validator("baseline", mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        return flatten(value) if isinstance(value, dict) else value


class Study(Strict):
    """One study file."""

    title: str
    question: str = ""
    answers: str = ""  #: the published table or plan that the study answers
    method: str
    pairs: list[PairEntry | None] = Field(default_factory=list)
    seeds: list[int] = Field(default_factory=lambda: [0, 1, 2])
    metrics: list[str] = Field(default_factory=lambda: ["top1"])
    baseline: dict[str, TomlValue] = Field(default_factory=dict)
    ablation: list[AblationEntry | None] = Field(default_factory=list)
    grid: list[GridEntry | None] = Field(default_factory=list)
    variant: list[VariantEntry | None] = Field(default_factory=list)
    references: list[str] = Field(default_factory=list)
    profiles: dict[str, ProfileEntry] = Field(default_factory=dict)

    @field_validator("baseline", mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        return flatten(value) if isinstance(value, dict) else value

    @field_validator("metrics", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value
