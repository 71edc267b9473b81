"""Check finished rows: those that cannot run, change nothing, or compute what another does.

Pure functions over the rows of all pairs; each yields problems, none stops at the first.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ablate.errors import Problem
from ablate.matrix.baselines import Setup, baseline_conflicts, inert_parts
from ablate.matrix.origin import conflict_origin
from ablate.matrix.pairs import Pair
from ablate.matrix.plan import Role
from ablate.matrix.plan_jobs import RowOnPair
from ablate.methods.method import Conflict, Method
from ablate.methods.parts import same
from ablate.methods.session import JobConfig
from ablate.methods.teachers import TEACHER

Inert = Mapping[str, str]  #: part that changes nothing -> when it would count
#: (method, pair) -> what the method's baseline cannot do there.
BaselineConflicts = Mapping[tuple[str, Pair], Sequence[Conflict]]


def conflicts_of_baselines(setup: Setup, rows: Iterable[RowOnPair]) -> BaselineConflicts:
    """What the baseline of each method cannot do on each pair."""
    found: dict[tuple[str, Pair], list[Conflict]] = {}
    for one in rows:
        key = one.method.name, one.pair
        if key not in found:
            found[key] = list(baseline_conflicts(setup, one.method, one.baseline))
    return found


def baseline_problems(
    setup: Setup, study: str, rows: Iterable[RowOnPair], known: BaselineConflicts
) -> Iterator[Problem]:
    """What baselines cannot do, told where the values stand that brought it about."""
    seen: set[tuple[str, Pair]] = set()
    for one in rows:
        key = one.method.name, one.pair
        if key in seen:
            continue
        seen.add(key)
        for conflict in known[key]:
            where, name = conflict_origin(
                setup, conflict, one.method, one.baseline, study=study, key=one.row.key
            )
            part = "" if conflict.part in name else f"{conflict.part}: "
            yield Problem(where, name, f"{part}{conflict.message}", conflict.right)


def conflict_problems(
    study: str, rows: Iterable[RowOnPair], known: BaselineConflicts
) -> Iterator[Problem]:
    """Conflicts of rows.

    A conflict that the baseline has too is reported once, for the baseline.
    """
    for one in rows:
        for conflict in one.method.conflicts(one.config):
            if conflict not in known[one.method.name, one.pair]:
                message = f"{one.label}: {conflict.message}"
                yield Problem(study, one.row.key, message, conflict.right)


def teacher_problems(
    setup: Setup,
    teachers: Iterable[tuple[Method, Pair, JobConfig]],
    known: BaselineConflicts,
) -> Iterator[Problem]:
    """Conflicts of teachers, except those already reported for their students.

    `teachers`: the method whose students wait for it, the pair, and the teacher's job.
    """
    for method, pair, job in teachers:
        for conflict in TEACHER.conflicts(job) if job.method == TEACHER.name else ():
            if conflict not in known.get((method.name, pair), ()):
                where, key = setup.conditions.place_for_teacher(conflict.part)
                message = f"teacher {job.pair}: {conflict.message}"
                yield Problem(where, key, message, conflict.right)


def effect_problems(
    setup: Setup, study: str, rows: Iterable[RowOnPair], known: BaselineConflicts
) -> Iterator[Problem]:
    """Rows that change nothing, and rows that compute the same as another; each is told once."""
    computed: dict[tuple[Hashable, ...], str] = {}
    inert_before: dict[tuple[str, Pair], Inert] = {}
    reported: set[str] = set()
    for one in rows:
        key, is_own = (one.method.name, one.pair), one.variant.role is Role.VARIANT
        if one.label in reported or one.variant.same_as or (not is_own and known[key]):
            continue
        if key not in inert_before:
            inert_before[key] = inert_parts(one.method, one.baseline, one.pair)
        inert = inert_parts(one.method, one.config, one.pair)
        problem = _no_effect(one, inert, inert_before[key]) if is_own else None
        if problem is None:
            twin = computed.setdefault(_content(one, inert), one.label)
            problem = _twin(setup, one, inert, twin) if twin != one.label else None
        if problem is not None:
            reported.add(one.label)
            message, right = problem
            yield Problem(study, one.row.key, f"{one.label}: {message}", right)


def _no_effect(one: RowOnPair, inert: Inert, inert_before: Inert) -> tuple[str, str] | None:
    """(message, what would be right) of a row whose changes count for nothing on its pair."""
    before = one.baseline.settings
    changed = [n for n, v in one.variant.changes.items() if not same(before[n], v)]
    if not all(name in inert and name in inert_before for name in changed):
        return None
    return f"changes nothing on {one.pair.name}", _when_they_count(inert, changed)


def _twin(setup: Setup, one: RowOnPair, inert: Inert, twin: str) -> tuple[str, str]:
    """(message, what would be right) of a row that computes what another row does."""
    right = _when_they_count(inert, [*one.variant.changes]) or _told_apart(setup.method, one)
    return f'computes the same as "{twin}" on {one.pair.name}', right


def _content(one: RowOnPair, inert: Inert) -> tuple[Hashable, ...]:
    """All that decides what a row computes, whatever the names that it goes by."""
    settings = one.method.canonical(one.config)
    if settings != one.config.settings:
        inert = inert_parts(one.method, replace(one.config, settings=settings), one.pair)
    silent = {*one.method.upstream_parts, *inert}
    counting = (item for item in settings.items() if item[0] not in silent)
    ids = ((role, identifier) for role, (identifier, _) in one.linked.items())
    return one.pair, one.method.code, *ids, *counting


def _told_apart(studied: Method, one: RowOnPair) -> str:
    """What would tell a row from its twin; a sibling of the study's method by its own parts."""
    if one.variant.role is Role.VARIANT or not studied.is_sibling(one.method):
        return "each row once"
    names = ", ".join(one.method.set_apart(studied))
    return f"each row once: {one.method.title} is told apart by {names}"


def _when_they_count(inert: Inert, names: Iterable[str]) -> str:
    return ", ".join(f"{name} counts {inert[name]}" for name in names if name in inert)
