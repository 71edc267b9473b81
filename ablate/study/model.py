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

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from ablate.study.fields import (
    Line,
    PathText,
    Scalar,
    Strict,
    Text,
    TomlValue,
    Values,
    clean_line,
    flatten,
    scalar,
)
from ablate.study.seeds import Seeds

Action = Literal["REPLACE", "REMOVE", "ADD"]


def _row_names(value: object) -> list[str | dict[str, TomlValue]]:
    names: list[str | dict[str, TomlValue]] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip():
            names.append(clean_line(item))
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


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


#: A value, or a list of values; an entry is None where the file had something wrong there.
OneOrMore = Annotated[
    list[Scalar | None],
    BeforeValidator(_as_list),
    WithJsonSchema(
        {"type": ["string", "number", "boolean", "array"], "description": "a value, or several"}
    ),
]
Names = Annotated[
    list[str | None],
    BeforeValidator(_as_list),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]


class PairEntry(Strict):
    """A teacher and the student it teaches; "teacher/student" for short, or only "student"."""

    teacher: str = Field("", description="name of the teacher's network")
    student: str = Field(description="name of the network that is trained")
    teacher_checkpoint: PathText = Field(
        "", description="file with the teacher's weights, relative to the study file"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            teacher, slash, student = value.partition("/")
            networks = {"teacher": teacher, "student": student} if slash else {"student": teacher}
            return {role: name.strip() for role, name in networks.items()}
        if isinstance(value, dict):
            return value
        raise ValueError('should be "teacher/student" or a table with both')

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(schema)]}

    @property
    def name(self) -> str:
        """As tables print it."""
        return f"{self.teacher}/{self.student}" if self.teacher else self.student


class RowsEntry(Strict):
    """Something that adds rows to the study's table."""

    profiles: list[str] = Field(
        default_factory=list, description="the only profiles it belongs to; all where none is named"
    )

    def belongs(self, profile: str) -> bool:
        """Whether its rows are part of the study under this profile."""
        return not self.profiles or profile in self.profiles


class AblationEntry(RowsEntry):
    """One part, changed to each value in turn: REPLACE, or its off-value, or its on-value."""

    ablated_part: str = Field(description="name of a part of the method; `ablate parts` lists them")
    action: Action = Field("REPLACE", description="REPLACE with values, REMOVE, or ADD")
    replacement: OneOrMore = Field(
        default_factory=list, description="the values that take the place of the baseline's"
    )
    baseline: Scalar | None = Field(
        None, description="value of the part in the baseline; it may be in the list, too"
    )

    @field_validator("action", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


class GridEntry(RowsEntry):
    """Every combination of the values of several parts."""

    parts: Annotated[
        dict[str, list[Scalar | None]],
        WithJsonSchema({"type": "object", "description": "part = list of values"}),
    ]

    @field_validator("parts", mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v if isinstance(v, list) else [v] for k, v in flatten(value).items()}


class VariantEntry(RowsEntry):
    """One variant that sets several parts at once."""

    label: Line = Field("", description="what the table calls it")
    set: Values = Field(description="part = value")


class ContrastEntry(Strict):
    """The difference between two rows, or between the means of two groups of rows.

    A row is named by its label, "baseline" for the baseline's; a table of part = value names every
    row of the study's method that has these values.
    """

    name: Line = Field(description="what the table calls the difference")
    rows: RowNames
    against: RowNames
    pairs: list[str] = Field(
        default_factory=list, description="the only pairs it is about; all where none is named"
    )


class PairGroupEntry(Strict):
    """Pairs over which the table makes one statement per row."""

    name: Line = Field(description="what the table calls the group")
    pairs: list[str] = Field(
        default_factory=list, description="two or more pairs of the study; all where none is named"
    )


class ProfileEntry(Strict):
    """What the study does differently under one profile."""

    elsewhere: ClassVar = {
        "settings": "they belong in ablate.toml; for this study only, in `baseline` here"
    }

    pairs: list[PairEntry | None] | None = Field(None, description="pairs in place of the study's")
    seeds: Seeds | None = None
    baseline: Values = Field(default_factory=dict)


class PlanEntry(Strict):
    """The words of the plan document that `ablate import` made the study from."""

    document: str = Field(description="file name of the document")
    sha256: str = Field(description="SHA-256 of the document")
    line: int = Field(description="line of the document where this ablation starts")
    name: str = Field(description="name of the ablation")
    ablated_part: str = Field(description="the part, in the document's words")
    action: str = Field(description="the action, in the document's words")
    replacement: list[str] = Field(default_factory=list, description="the document's values")
    metrics: list[str] = Field(default_factory=list, description="the document's metrics")
    rationale: str = Field("", description="why, in the document's words")
    open: list[str] = Field(
        default_factory=list, description="what a person has to decide before a run"
    )


class StudyFile(Strict):
    """A study file as it stands on disk."""

    title: Line = Field("", description="a line for the table's head")
    question: Text = Field("", description="the question that the study answers")
    answers: Text = Field("", description="the published table or plan that the study answers")
    method: PathText = Field(
        "",
        description=(
            'method that is ablated: a name, or "file.py:NAME", or "file.toml" of a script'
        ),
    )
    pairs: list[PairEntry | None] = Field(
        default_factory=list, description='pairs of networks, such as "resnet110/resnet32"'
    )
    networks: PathText = Field(
        "", description='what builds networks of your own that pairs name, "my_nets.py:build"'
    )
    seeds: Seeds | None = None
    metrics: Names = Field(
        default_factory=list, description="metrics of the method; the first where none is named"
    )
    margin: float | None = Field(
        None,
        gt=0,
        description="differences below it count as none; in the unit of the first metric",
    )
    baseline: Values = Field(default_factory=dict)
    ablation: list[AblationEntry | None] = Field(default_factory=list)
    grid: list[GridEntry | None] = Field(default_factory=list)
    variant: list[VariantEntry | None] = Field(default_factory=list)
    references: list[PathText | None] = Field(
        default_factory=list, description="other methods, as they are, for comparison"
    )
    contrast: list[ContrastEntry | None] = Field(default_factory=list)
    pair_group: list[PairGroupEntry | None] = Field(default_factory=list)
    profiles: dict[str, ProfileEntry] = Field(
        default_factory=dict, description="what the study does differently under a profile"
    )
    plan: PlanEntry | None = None

    def sections(self) -> dict[str, ProfileEntry]:
        """Key -> what stands under it: the file's own top level is a section, too."""
        has_pairs = "pairs" in self.model_fields_set
        own = ProfileEntry.model_construct(
            pairs=self.pairs if has_pairs else None, seeds=self.seeds, baseline=self.baseline
        )
        return {"": own, **{f"profiles.{name}.": entry for name, entry in self.profiles.items()}}
