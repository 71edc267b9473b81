"""The job matrix of one study: variants in the order of the table's rows, jobs with their ids."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from ablate.matrix.identity import canonical
from ablate.methods.catalog import by_content, name_without_path
from ablate.methods.metrics import Metric
from ablate.methods.parts import Value
from ablate.methods.session import JobConfig
from ablate.study.seeds import SeedRule

Made = TypeVar("Made")


class Role(StrEnum):
    """What a row of the table is."""

    BASELINE = "baseline"
    VARIANT = "variant"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Variant:
    """One row of the table: the baseline, an ablated variant, or another method for reference."""

    label: str  #: in the paper's words; unique within the study
    role: Role
    method: str
    changes: Mapping[str, Value] = field(default_factory=dict)  #: part -> value, against baseline
    group: str = ""  #: heading of the ablation it belongs to, e.g. "τ" or "m_c × m_r"
    #: Label of an earlier row that is the same: the two share their jobs and count once.
    same_as: str = ""


@dataclass(frozen=True)
class PlannedJob:
    """A job as one study sees it; what it computes stands in its config."""

    id: str
    kind: str  #: "student", "teacher", "teacher_table"
    variant: str | None  #: label of its variant; None for upstream jobs
    pair: str  #: "resnet110/resnet32", or the teacher's name for upstream jobs
    seed: int
    upstream: tuple[str, ...] = ()  #: ids of the jobs that it waits for


@dataclass(frozen=True)
class Contrast:
    """A difference that the study asks about: the mean of `rows` minus the mean of `against`."""

    name: str
    rows: tuple[str, ...]  #: labels of rows; the baseline's may be among them
    against: tuple[str, ...]  #: labels of other rows
    pairs: tuple[str, ...]  #: the pairs that it is about, one or more


@dataclass(frozen=True)
class PairGroup:
    """Pairs over which the study asks for one statement per row."""

    name: str
    pairs: tuple[str, ...]  #: two or more


@dataclass(frozen=True)
class StudyPlan:
    """All that a table of one study under one profile needs to know before anything has run."""

    name: str  #: file stem: "lpred_symmetry"
    title: str
    question: str
    answers: str  #: the published table or plan that the study answers
    profile: str
    data: str  #: title of the data set, "" where the method reads none of ours
    metrics: tuple[Metric, ...]  #: as the method declares them, the first being the main one
    pairs: tuple[str, ...]
    seeds: tuple[int, ...]
    baseline: Mapping[str, Value]  #: the baseline's settings, of the first pair
    overrides: Mapping[str, Value]  #: what --set changed in the profile
    variants: tuple[Variant, ...]
    jobs: tuple[PlannedJob, ...]  #: upstream jobs before those that need them
    #: label -> pair -> digest of all that the row computes there, whatever the seed
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    part_labels: Mapping[str, str] = field(default_factory=dict)  #: part -> symbol or label
    footnotes: tuple[str, ...] = ()
    code: str = ""  #: digest of the training code
    conditions: str = ""  #: digest of what else all jobs share: data, recipe of teachers
    profile_title: str = ""  #: what ablate.toml says of the profile in a line
    #: What the profile sets other than the methods' own values, teachers' as "teacher.<part>".
    profile_settings: Mapping[str, Value] = field(default_factory=dict)
    #: Label -> pair -> title of the published method whose recipe the row follows there.
    published: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Differences below it are equivalent to none; in the unit of the first metric.
    margin: float | None = None
    #: How the run goes on from `seeds`; None where the seeds are a list, or --seeds names them.
    seed_rule: SeedRule | None = None
    contrasts: tuple[Contrast, ...] = ()
    #: A job's digest of code -> module -> start of its digest; names what an edit changed.
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pair_groups: tuple[PairGroup, ...] = ()

    @property
    def key(self) -> str:
        """Names the study under its profile, overrides and code; seeds and rows may grow.

        Its title counts: of two files of one name in different folders, neither replaces the other.
        """
        names = [self.name, self.title, self.profile, self.code, self.conditions]
        content = [*names, by_content(self.overrides), dict(self.baseline)]
        digest = hashlib.sha256(canonical(content).encode()).hexdigest()
        return f"{self.name}-{self.profile}-{digest[:12]}"

    def for_others(self) -> StudyPlan:
        """The same plan, key included, without where the user's own data lie on this machine."""
        if "data" not in self.overrides:
            return self
        data = {"data": name_without_path(str(self.overrides["data"]))}
        return dataclasses.replace(self, overrides={**self.overrides, **data})

    def to_json(self) -> dict[str, Any]:
        """Plain types; `from_json` gives the equal plan back."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["metrics"] = [metric.to_json() for metric in self.metrics]
        fields["variants"] = [vars(variant) for variant in self.variants]
        fields["jobs"] = [vars(job) for job in self.jobs]
        fields["seed_rule"] = vars(self.seed_rule) if self.seed_rule else None
        fields["contrasts"] = [vars(contrast) for contrast in self.contrasts]
        fields["pair_groups"] = [vars(group) for group in self.pair_groups]
        return fields

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> StudyPlan:
        """Read what `to_json` gave, as parsed from its JSON text.

        Raises ValueError, TypeError or KeyError for what is no plan: it may be a stranger's.
        """
        fields = dict(document)
        fields["variants"] = tuple(
            _typed(Variant(**{**v, "role": Role(v["role"])})) for v in document["variants"]
        )
        fields["jobs"] = tuple(map(_planned_job, document["jobs"]))
        if document.get("seed_rule") is not None:
            fields["seed_rule"] = _typed(SeedRule(**document["seed_rule"]))
        fields["contrasts"] = _tuples(Contrast, document.get("contrasts", ()))
        fields["pair_groups"] = _tuples(PairGroup, document.get("pair_groups", ()))
        fields["metrics"] = tuple(map(Metric.from_json, document["metrics"]))
        for name in ("pairs", "seeds", "footnotes"):
            fields[name] = tuple(document[name])
        plan = _typed(cls(**fields))
        if not all(type(seed) is int for seed in plan.seeds):
            raise ValueError("a seed is no whole number")
        if not all(type(text) is str for text in (*plan.pairs, *plan.footnotes)):
            raise ValueError("a pair or a footnote is no text")
        whole = {v.label for v in plan.variants if v.role is Role.VARIANT and not v.same_as}
        if not {v.same_as for v in plan.variants if v.same_as} <= whole:
            raise ValueError("a row is the same as one that is not there")
        return plan


#: Annotation of a field -> its type in JSON.
_PLAIN = {"str": str, "int": int, "bool": bool}


def _typed(made: Made) -> Made:
    """A dataclass as it is; ValueError if a text or a whole number of it is something else."""
    for one in dataclasses.fields(made):  # type: ignore[arg-type]  # there is no public bound
        kind = _PLAIN.get(str(one.type))
        if kind is not None and type(getattr(made, one.name)) is not kind:
            raise ValueError(f"{one.name} of a {type(made).__name__} is of a wrong type")
    return made


def _planned_job(document: Mapping[str, Any]) -> PlannedJob:
    """Read a job of a plan; ValueError for a field of a wrong type."""
    job = PlannedJob(**{**document, "upstream": tuple(document.get("upstream", ()))})
    texts = (job.id, job.kind, job.pair, "" if job.variant is None else job.variant, *job.upstream)
    if type(job.seed) is not int or not all(type(text) is str for text in texts):
        raise ValueError(f"job {job.id} has a field of a wrong type")
    return job


def _tuples(kind: type[Any], documents: Iterable[Mapping[str, Any]]) -> tuple[Any, ...]:
    """Dataclasses from JSON objects, their lists as tuples."""
    return tuple(
        _typed(kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}))
        for document in documents
    )


@dataclass(frozen=True)
class Matrix:
    """A plan, and what each of its jobs computes."""

    plan: StudyPlan
    configs: Mapping[str, JobConfig]  #: job id -> config, upstream first
    files: Mapping[str, Path] = field(default_factory=dict)  #: SHA-256 of an input -> its path
    method_files: Mapping[str, str] = field(default_factory=dict)  #: method -> the user's file
    method_codes: Mapping[str, str] = field(default_factory=dict)  #: method -> its file's digest
    notices: tuple[str, ...] = ()  #: what was counted, ignored or taken of the user's own files
