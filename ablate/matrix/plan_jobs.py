"""Rows × pairs × seeds → jobs, each id once, with what they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ablate.matrix.baselines import (
    Setup,
    baseline_job,
    linked,
    upstream_recipe,
    with_given_weights,
)
from ablate.matrix.identity import job_id
from ablate.matrix.pairs import Pair
from ablate.matrix.plan import PlannedJob, Variant
from ablate.matrix.rows import PlannedRow
from ablate.methods.installed_networks import file_inputs
from ablate.methods.method import Method, Recipe
from ablate.methods.session import TEACHER_ROLE, JobConfig
from ablate.methods.teachers import teacher_of

Linked = Mapping[str, tuple[str, JobConfig]]  #: role -> (id, job)


@dataclass(frozen=True)
class RowOnPair:
    """One row on one pair: what it computes with seed 0, and what it waits for."""

    row: PlannedRow
    pair: Pair
    baseline: JobConfig  #: of the row's method on this pair
    config: JobConfig  #: the baseline with the row's changes
    upstream: Mapping[str, JobConfig]  #: role -> job, as the method asks for it
    linked: Linked  #: the same jobs as they will run

    @property
    def method(self) -> Method:
        """The method that the row runs."""
        return self.row.method

    @property
    def variant(self) -> Variant:
        """The row as the table shows it."""
        return self.row.variant

    @property
    def label(self) -> str:
        """The row's label."""
        return self.row.variant.label


@dataclass(frozen=True)
class Jobs:
    """All jobs of a study."""

    planned: tuple[PlannedJob, ...]  #: upstream jobs before those that need them
    configs: Mapping[str, JobConfig]  #: id -> what the job computes
    rows: Mapping[str, Mapping[str, str]]  #: label -> pair -> digest of what the row computes


def place_rows(setup: Setup, table: Sequence[PlannedRow], pairs: Sequence[Pair]) -> list[RowOnPair]:
    """Every row on every pair, pair by pair in the table's order."""
    recipe = upstream_recipe(setup.conditions)
    found = []
    for pair in pairs:
        baselines: dict[str, JobConfig] = {}
        for row in table:
            method = row.method
            if method.name not in baselines:
                baselines[method.name] = baseline_job(setup, method, pair)
            baseline = baselines[method.name]
            config = baseline.with_settings(row.variant.changes)
            upstream = method.upstream(config, recipe)
            ready = linked(setup, upstream, pair)
            found.append(RowOnPair(row, pair, baseline, config, upstream, ready))
    return found


def row_notes(rows: Iterable[RowOnPair]) -> list[str]:
    """Footnotes of methods on their rows."""
    return [note for one in rows for note in one.method.footnotes(one.config)]


def reference_teachers(
    setup: Setup, method: Method, pairs: Sequence[Pair]
) -> dict[Pair, JobConfig]:
    """The teacher of each pair for its own sake, whether or not a student waits for it."""
    recipe = upstream_recipe(setup.conditions)
    found = {}
    for pair in pairs:
        if pair.teacher:
            job = baseline_job(setup, method, pair)
            networks = {TEACHER_ROLE: pair.teacher}
            job = replace(job, networks=networks, inputs={**job.inputs, **file_inputs(networks)})
            found[pair] = with_given_weights(setup, teacher_of(job, recipe), pair)
    return found


def plan_jobs(
    setup: Setup,
    rows: Iterable[RowOnPair],
    teachers: Mapping[Pair, JobConfig],
    seeds: Sequence[int],
) -> Jobs:
    """A job per row, pair and seed, and before it whatever it waits for."""
    recipe = upstream_recipe(setup.conditions)
    planned: list[PlannedJob] = []
    configs: dict[str, JobConfig] = {}
    digests: dict[str, dict[str, str]] = {}
    for pair, teacher in teachers.items():
        configs[job_id(teacher)] = teacher
        planned.append(_planned(job_id(teacher), teacher, None, pair.teacher))
    for one in rows:
        known = _known_by(one, one.linked)
        digests.setdefault(one.label, {})[one.pair.name] = job_id(known)
        for seed in seeds:
            ready = _linked_for(setup, one, seed, recipe)
            for identifier, job in ready.values():
                if identifier not in configs:
                    configs[identifier] = job
                    planned.append(_planned(identifier, job, None, job.pair))
            config = replace(known if ready is one.linked else _known_by(one, ready), seed=seed)
            identifier = job_id(config)
            configs[identifier] = config
            planned.append(_planned(identifier, config, one.label, one.pair.name))
    return Jobs(tuple(planned), configs, digests)


def upstream_jobs(rows: Iterable[RowOnPair]) -> Iterator[tuple[RowOnPair, JobConfig]]:
    """Each row on a pair with each job that it waits for."""
    for one in rows:
        for _, job in one.linked.values():
            yield one, job


def _linked_for(setup: Setup, one: RowOnPair, seed: int, recipe: Recipe) -> Linked:
    """What the job of a seed waits for."""
    if not one.upstream or seed == 0 or one.method.seeds_share_upstream:
        return one.linked
    upstream = one.method.upstream(replace(one.config, seed=seed), recipe)
    return one.linked if upstream == one.upstream else linked(setup, upstream, one.pair)


def _planned(identifier: str, config: JobConfig, label: str | None, pair: str) -> PlannedJob:
    waits_for = tuple(dict.fromkeys(config.upstream.values()))
    return PlannedJob(identifier, config.kind, label, pair, config.seed, waits_for)


def _known_by(one: RowOnPair, upstream: Linked) -> JobConfig:
    """The config that is hashed.

    Parts that only affect upstream jobs are left out, since the upstream ids stand for them.
    """
    shown_upstream = one.method.upstream_parts
    kept = {n: v for n, v in one.config.settings.items() if n not in shown_upstream}
    ids = {role: identifier for role, (identifier, _) in upstream.items()}
    return replace(one.config, settings=kept, upstream=ids)
