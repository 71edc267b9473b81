"""Find the file or option, and the key, that caused a conflict in the baseline."""

from __future__ import annotations

from dataclasses import replace

from ablate.matrix.baselines import Setup, baseline_conflicts, declared_for
from ablate.methods.method import Conflict, Method
from ablate.methods.session import JobConfig
from ablate.study.settings import FILE_NAME


def conflict_origin(
    setup: Setup, conflict: Conflict, method: Method, config: JobConfig, *, study: str, key: str
) -> tuple[str, str]:
    """Find the file or option, and the key, that caused a conflict in the baseline.

    The values of the profile, of the study and of --set are applied in turn until the conflict
    appears. `study` and `key` are returned where none of them caused it.
    """
    values = method.baseline(config.networks)
    declared = {name: one.value for name, one in declared_for(setup, method).items()}
    conditions = setup.conditions
    for where, prefix, source in (
        (FILE_NAME, f"profiles.{conditions.name}.settings", conditions.settings_of(method)),
        (study, "baseline", declared),
        ("--set", "", conditions.overrides),
    ):
        changes = {name: value for name, value in source.items() if method.has_part(name)}
        values |= changes
        job = replace(config, settings=values)
        if changes and conflict in baseline_conflicts(setup, method, job):
            name = ".".join(filter(None, (prefix, conflict.part)))
            return where, name if conflict.part in changes else prefix
    return study, key
