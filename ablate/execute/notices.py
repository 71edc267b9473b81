"""Notices before a run starts: all that would otherwise be decided in silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ablate.errors import StoreError
from ablate.execute.agenda import Agenda
from ablate.execute.recovery import Past
from ablate.matrix.inputs import DATA
from ablate.matrix.plan import Matrix, StudyPlan
from ablate.methods.device import DeviceKind
from ablate.methods.parts import format_value
from ablate.store.history import history
from ablate.store.studies import document_path, document_paths, read_document


def notices(agenda: Agenda, past: Past) -> Iterator[str]:
    """All sentences on a run that is about to start; call before its studies are registered."""
    for matrix in agenda.matrices:
        yield from new_beside_old(agenda, matrix)
    yield from other_bits(agenda, past)


def new_beside_old(agenda: Agenda, matrix: Matrix) -> Iterator[str]:
    """Say where a study of this name is there already, under other settings or of other code."""
    plan = matrix.plan
    if document_path(agenda.results, plan.key).exists():
        return
    for path in document_paths(agenda.results):
        if path.name.startswith(f"{plan.name}-"):
            with suppress(StoreError):
                old = read_document(path).plan
                if old.name == plan.name and (why := _difference(agenda, old, matrix)):
                    yield f"{plan.name}: new beside a study of this name {why}; both stay"
                    return


def _difference(agenda: Agenda, old: StudyPlan, matrix: Matrix) -> str:
    """What makes two studies of one name different."""
    new = matrix.plan
    if old.profile != new.profile:
        return f"under the profile {old.profile}"
    names = dict.fromkeys((*old.overrides, *new.overrides))
    changed = [name for name in names if _override(old, name) != _override(new, name)]
    if changed:
        values = ", ".join(f"{name} = {_override(old, name)}" for name in changed)
        return f"that has {values}"
    if old.title != new.title:
        return f'with the title "{old.title}"'
    if old.code != new.code:
        return "that was run with other code"
    if _reads_other_data(agenda, old, matrix):
        return "with other data"
    same = dict(old.baseline) == dict(new.baseline)
    return "with other settings or weights of its teachers" if same else "with another baseline"


def _reads_other_data(agenda: Agenda, old: StudyPlan, matrix: Matrix) -> bool:
    """Whether a job of the earlier study read a data set that no job reads now."""
    now = {config.inputs.get(DATA) for config in matrix.configs.values()}
    for job in old.jobs:
        with suppress(StoreError):
            return agenda.run(job.id).config().inputs.get(DATA) not in now
    return old.data != matrix.plan.data


def _override(plan: StudyPlan, name: str) -> str:
    return format_value(plan.overrides[name]) if name in plan.overrides else "the profile's value"


def other_bits(agenda: Agenda, past: Past) -> Iterator[str]:
    """Say where jobs go on with other threads than before, as they then end with other bits."""
    now, changed = agenda.settings.execution.threads, dict[int, int]()
    for job in agenda.configs.keys() & past.resumable:
        with suppress(StoreError):
            attempts = history(agenda.run(job).events().events).attempts
            before = attempts[-1].threads if attempts else None
            on_cpu = attempts and attempts[-1].device and attempts[-1].device.kind is DeviceKind.CPU
            if before and before != now and on_cpu:
                changed[before] = changed.get(before, 0) + 1
    for before, count in sorted(changed.items()):
        jobs = f"{count} job{'s' * (count != 1)}"
        yield (
            f"{jobs} began with threads = {before} and would go on with {now}: the last bits will "
            f"differ from an uninterrupted run; threads = {before} in ablate.toml keeps them"
        )
