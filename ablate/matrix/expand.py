"""Draft study × method × profile → matrix: every job, its id, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ablate.errors import did_you_mean
from ablate.matrix.identity import job_id, training_code
from ablate.matrix.inputs import data_inputs, find_checkpoint
from ablate.matrix.plan import Matrix, PlannedJob, Role, StudyPlan, Variant
from ablate.matrix.resolve import Conditions, conditions
from ablate.methods.catalog import NETWORKS
from ablate.methods.method import Method
from ablate.methods.parts import Value
from ablate.methods.registry import find_method
from ablate.methods.session import JobConfig
from ablate.methods.teachers import TEACHER
from ablate.settings import Settings, TomlValue
from ablate.study.model import PairEntry
from ablate.study.parse import Draft
from ablate.study.variants import Row, baseline_changes, describe, metric_names, rows


def expand(
    draft: Draft,
    settings: Settings,
    profile: str,
    overrides: Mapping[str, TomlValue] | None = None,
    seeds: Sequence[int] | None = None,
) -> Matrix:
    """All jobs of a study under a profile; InputError holds every problem of the file at once."""
    method = _method(draft, draft.study.method, "method")
    under, problems = conditions(settings, profile, overrides or {}, method)
    draft.problems += problems
    metrics = metric_names(draft)
    if method is None:
        draft.check()
        raise AssertionError("a missing method is a problem")
    changes = baseline_changes(draft, method, profile)
    wanted = rows(draft, method)
    pairs = _pairs(draft, method, profile)
    builder = _Builder(draft, settings, under, changes)
    variants = builder.variants(method, wanted, pairs[0] if pairs else PairEntry(student=""))
    if profile not in settings.profiles:
        draft.check()
    chosen = tuple(seeds) if seeds is not None else _seeds(draft, settings, profile)
    for pair in pairs:
        for variant, row in variants:
            builder.add(variant, row, pair, chosen)
    draft.check()
    return builder.matrix(method, pairs, chosen, metrics, [variant for variant, _ in variants])


def _method(draft: Draft, name: str, key: str) -> Method | None:
    try:
        return find_method(name, draft.path.parent)
    except ValueError as error:
        message, _, right = str(error).partition(": ")
        draft.problem(key, message, right)
        return None


def _seeds(draft: Draft, settings: Settings, profile: str) -> tuple[int, ...]:
    """Seeds of the study under the profile: the study's own section, the profile, the study."""
    entry = draft.study.profiles.get(profile)
    in_profile = settings.profiles[profile].seeds
    return tuple((entry and entry.seeds) or in_profile or draft.study.seeds)


def _pairs(draft: Draft, method: Method, profile: str) -> list[PairEntry]:
    """The study's pairs under the profile, each network looked up."""
    entry = draft.study.profiles.get(profile)
    special = entry is not None and entry.pairs is not None
    listed = entry.pairs if entry is not None and entry.pairs is not None else draft.study.pairs
    key = f"profiles.{profile}.pairs" if special else "pairs"
    if not method.networks:
        return [pair for pair in listed if pair] or [PairEntry(student=draft.study.method)]
    if not listed:
        draft.problem(key, "is missing", '["teacher/student"]')
    for i, pair in enumerate(listed):
        if pair is None:
            continue
        for role in ("teacher", "student"):
            name = getattr(pair, role)
            if role == "teacher" and not name:
                if method.uses_teacher:
                    draft.problem(f"{key}[{i}]", "has no teacher", '"teacher/student"')
            elif name not in NETWORKS:
                hint = did_you_mean(name, list(NETWORKS))
                draft.problem(f"{key}[{i}]", f'no network "{name}"', hint)
    known = [pair for pair in listed if pair and pair.student in NETWORKS]
    return [pair for pair in known if not pair.teacher or pair.teacher in NETWORKS]


@dataclass
class _Builder:
    """Gathers jobs in order, each id once."""

    draft: Draft
    settings: Settings
    under: Conditions
    changes: Mapping[str, Value]  #: what the study says of its baseline
    jobs: list[PlannedJob] = field(default_factory=list)
    configs: dict[str, JobConfig] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    footnotes: dict[str, None] = field(default_factory=dict)  #: ordered set

    def baseline(self, method: Method, pair: PairEntry) -> dict[str, Value]:
        """The baseline's settings; what the study says counts for its own method only."""
        values = self.under.apply(method, pair.teacher, pair.student)
        own = method.name == self.draft.study.method
        study = {name: value for name, value in self.changes.items() if own}
        given = {k: v for k, v in self.under.overrides.items() if own and k in study}
        return {**values, **study, **{k: method.part(k).parse(v) for k, v in given.items()}}

    def variants(
        self, method: Method, wanted: list[Row], pair: PairEntry
    ) -> list[tuple[Variant, Row | None]]:
        """Rows of the table in order: baseline, variants, references; twins are problems."""
        baseline = self.baseline(method, pair)
        touched = {name for row in wanted for name in row.changes}
        groups = {row.group for row in wanted}
        plain_baseline = len(groups) == 1 and touched and "variants" not in groups
        label = (
            describe(method, {name: baseline[name] for name in baseline if name in touched})
            if plain_baseline
            else method.title
        )
        found: list[tuple[Variant, Row | None]] = [
            (
                Variant(
                    label,
                    Role.BASELINE,
                    method.name,
                    {},
                    next(iter(groups)) if plain_baseline else "",
                ),
                None,
            )
        ]
        seen = {label: "the baseline"}
        for row in wanted:
            if all(_same(baseline[name], value) for name, value in row.changes.items()):
                if not row.may_equal_baseline:
                    self._equals_baseline(row)
                continue
            if row.label in seen:
                self.draft.problem(row.key, f'"{row.label}" is already {seen[row.label]}')
                continue
            seen[row.label] = row.key
            found.append(
                (Variant(row.label, Role.VARIANT, method.name, row.changes, row.group), row)
            )
        for i, name in enumerate(self.draft.study.references):
            other = _method(self.draft, name, f"references[{i}]")
            if other is not None and other.name not in (TEACHER.name, method.name):
                found.append((Variant(other.title, Role.REFERENCE, other.name), None))
        return found

    def _equals_baseline(self, row: Row) -> None:
        shown = ", ".join(f"{name} = {value!r}" for name, value in row.changes.items())
        self.draft.problem(
            row.key,
            f"the variant equals the baseline ({shown}), so it would ablate nothing",
            "another value, or say `baseline = ...` in this ablation to make it the reference row",
        )

    def add(self, variant: Variant, row: Row | None, pair: PairEntry, seeds: Sequence[int]) -> None:
        """Plan one row for one pair: a job per seed, and whatever they wait for."""
        method = find_method(variant.method, self.draft.path.parent)
        settings = {**self.baseline(method, pair), **variant.changes}
        config = JobConfig(
            kind=method.kind,
            method=method.name,
            program=method.program,
            data=self.under.data,
            teacher=pair.teacher if method.uses_teacher else "",
            student=pair.student,
            seed=0,
            profile=self.under.name,
            settings=settings,
            inputs=data_inputs(self.draft, self.under.data, method),
            code=training_code(method.file),
        )
        for conflict in method.conflicts(config):
            key = row.key if row else "baseline"
            name = "" if conflict.part in key else f"{conflict.part}: "
            self.draft.problem(key, f"{name}{conflict.message}", conflict.right)
        self.footnotes.update(dict.fromkeys(method.footnotes(config)))
        for seed in seeds:
            self._add_job(method, replace(config, seed=seed), variant.label, pair)

    def _add_job(self, method: Method, config: JobConfig, label: str, pair: PairEntry) -> None:
        ids: dict[str, str] = {}
        upstream = method.upstream(config, lambda m, network: self.under.apply(m, "", network))
        for role, needed in upstream.items():
            linked = {r: ids[r] for r in needed.upstream}
            job = self._with_checkpoint(replace(needed, upstream=linked), pair)
            ids[role] = self._plan(job, None, job.teacher)
        self._plan(replace(config, upstream=ids), label, pair.name)

    def _with_checkpoint(self, job: JobConfig, pair: PairEntry) -> JobConfig:
        """A teacher whose weights the user has is loaded, not trained."""
        found = find_checkpoint(self.draft, self.settings, pair) if job.kind == "teacher" else None
        if found is None:
            return job
        digest, path = found
        self.files[digest] = path
        kept = {name: job.settings[name] for name in ("precision", "deterministic")}
        return replace(job, settings=kept, seed=0, inputs={**job.inputs, "checkpoint": digest})

    def _plan(self, config: JobConfig, label: str | None, pair: str) -> str:
        identifier = job_id(config)
        if label is not None or identifier not in self.configs:
            waits = tuple(dict.fromkeys(config.upstream.values()))
            self.jobs.append(PlannedJob(identifier, config.kind, label, pair, config.seed, waits))
        self.configs[identifier] = config
        return identifier

    def matrix(
        self,
        method: Method,
        pairs: Sequence[PairEntry],
        seeds: Sequence[int],
        metrics: Sequence[str],
        variants: Sequence[Variant],
    ) -> Matrix:
        """The finished matrix."""
        study = self.draft.study
        plan = StudyPlan(
            name=self.draft.name,
            title=study.title,
            question=study.question,
            answers=study.answers,
            profile=self.under.name,
            data=self.under.data,
            metrics=tuple(metrics),
            pairs=tuple(pair.name for pair in pairs),
            seeds=tuple(seeds),
            baseline=self.baseline(method, pairs[0]),
            overrides=dict(self.under.overrides),
            variants=tuple(variants),
            jobs=tuple(self.jobs),
            part_labels={part.name: part.symbol or part.label for part in method.parts},
            footnotes=tuple(self.footnotes),
            code=training_code(method.file),
        )
        return Matrix(plan, self.configs, self.files)


def _same(one: Value, other: Value) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
