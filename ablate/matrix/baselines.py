"""The baseline of each method on each pair, and the upstream work that jobs wait for there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ablate.matrix.code_digest import Codes
from ablate.matrix.identity import job_id
from ablate.matrix.pairs import Pair
from ablate.matrix.resolve import Conditions
from ablate.methods.catalog import content_name
from ablate.methods.installed_networks import file_inputs
from ablate.methods.method import Conflict, Method, Recipe
from ablate.methods.parts import Value, format_value, same, shown
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import JobConfig
from ablate.methods.teachers import SHARED_PARTS, TEACHER, TEACHER_SEED
from ablate.study.variants import BaselineValue


@dataclass(frozen=True)
class Setup:
    """What all rows of a study share under one profile."""

    method: Method  #: of the study
    conditions: Conditions
    declared: Mapping[str, BaselineValue]  #: what the study file says of its baseline
    inputs: Mapping[str, str]  #: what decides every result besides settings and code
    codes: Codes  #: digests of the code that jobs reach


def declared_for(setup: Setup, method: Method) -> dict[str, BaselineValue]:
    """What the study says of its baseline, as far as it counts for a method of its table.

    Recipe and teacher values apply to every row. Sibling methods also take the study's other
    values, except the parts in which they differ.
    """
    if method.name == setup.method.name:
        return dict(setup.declared)
    return {
        name: value
        for name, value in setup.declared.items()
        if method.has_part(name) and _is_shared(setup.method, method, name)
    }


def _is_shared(studied: Method, other: Method, name: str) -> bool:
    if other.part(name).allowed != studied.part(name).allowed:
        return False  # of the same name only
    if studied.is_sibling(other):
        return name not in studied.set_apart(other)
    return name in SHARED_PARTS


def baseline_values(setup: Setup, method: Method, pair: Pair) -> dict[str, Value]:
    """The baseline's settings: the method's, changed by profile, study and --set in turn.

    Raises:
        ValueError: the method declares a value that it does not allow.
    """
    values = setup.conditions.apply(method, pair.networks(method))
    overridden = setup.conditions.overrides
    declared = declared_for(setup, method).items()
    return values | {name: one.value for name, one in declared if name not in overridden}


def own_baseline(setup: Setup) -> list[str]:
    """A footnote on what the study's own baseline changes."""
    overridden = setup.conditions.overrides
    own = {n: one.value for n, one in setup.declared.items() if n not in overridden}
    changes = ", ".join(f"{name} = {format_value(value)}" for name, value in own.items())
    return [f"the study's own baseline: {changes}"] if own else []


def baseline_job(setup: Setup, method: Method, pair: Pair) -> JobConfig:
    """The job of the baseline's row on one pair, with seed 0 and before its upstream work."""
    networks = pair.networks(method)
    config = JobConfig(
        kind=method.kind,
        method=method.name,
        program=method.program,
        networks=networks,
        data=content_name(setup.conditions.data) if method.uses_data else "",
        seed=0,
        settings=baseline_values(setup, method, pair),
        inputs={**(setup.inputs if method.uses_data else {}), **file_inputs(networks)},
    )
    return replace(config, code=setup.codes.of(config, method.file))


def baseline_conflicts(setup: Setup, method: Method, config: JobConfig) -> Iterator[Conflict]:
    """What a baseline cannot do; one for reference has to be what its title says, too."""
    yield from method.conflicts(config)
    for name in method.core if method.name != setup.method.name else ():
        part = method.part(name)
        value = config.settings[name]
        if same(value, part.off) and not same(part.baseline, part.off):
            message = f"is off ({shown(value)}), so {method.title} is not itself"
            yield Conflict(name, message, f"another value, or no reference {method.name}")


def inert_parts(method: Method, config: JobConfig, pair: Pair) -> dict[str, str]:
    """Parts that change nothing that the job computes -> when they would count."""
    inert = dict(method.inert(config))
    if pair.checkpoint and TEACHER_SEED not in inert:
        inert[TEACHER_SEED] = "where the teacher's weights are not given"
    return inert


def upstream_recipe(conditions: Conditions) -> Recipe:
    """(method, network) -> settings of upstream work: those of the profile, never of the study."""
    known: dict[tuple[str, str], dict[str, Value]] = {}

    def recipe(method: Method, network: str) -> dict[str, Value]:
        if (method.name, network) not in known:
            networks = {method.roles[0]: network} if method.roles else {}
            known[method.name, network] = conditions.apply(method, networks)
        return known[method.name, network]

    return recipe


def linked(
    setup: Setup, upstream: Mapping[str, JobConfig], pair: Pair
) -> dict[str, tuple[str, JobConfig]]:
    """Role -> (id, job) of upstream work, each job linked to those that it waits for in turn."""
    found: dict[str, tuple[str, JobConfig]] = {}
    for role, job in upstream.items():
        waits_for = {other: found[other][0] for other in job.upstream}
        ready = with_given_weights(setup, replace(job, upstream=waits_for), pair)
        found[role] = job_id(ready), ready
    return found


def with_given_weights(setup: Setup, job: JobConfig, pair: Pair) -> JobConfig:
    """An upstream job as its id is taken.

    The code digest of built-in upstream jobs covers only their own code; a teacher with given
    weights has no seed.
    """
    if job.method in BUILT_IN:
        job = replace(job, code=setup.codes.of(job))
    if job.kind != TEACHER.kind or pair.checkpoint is None:
        return job
    kept = {name: job.settings[name] for name in ("precision", "deterministic")}
    inputs = {**job.inputs, "checkpoint": pair.checkpoint[0]}
    return replace(job, settings=kept, seed=0, inputs=inputs)
