"""Results of jobs: a record per job for other programs, a study's results for reports.

Nothing here touches the rows per epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, null, select

from ablate.methods.metrics import METRICS
from ablate.store import schema
from ablate.store.find import find_study
from ablate.store.history import Status
from ablate.store.index import Index
from ablate.store.processes import Alive, is_alive
from ablate.store.results import Run, StudyResults, TeacherRun
from ablate.store.states import (
    PLAN_COLUMNS,
    STATE_COLUMNS,
    job_status,
    parsed,
    planned_jobs,
    read_plan,
    statuses,
)

Record = dict[str, Any]

_COSTS = frozenset(metric.name for metric in METRICS if metric.cost)
_PLANNED = schema.study_jobs.c
_JOBS = schema.jobs.c
_MEASURED = (
    _JOBS.attempts,
    _JOBS.resumed_from,
    _JOBS.best_epoch,
    _JOBS.weights_digest,
    _JOBS.metrics,
    _JOBS.best,
    _JOBS.costs,
)
_MEASURED_OF_RUN = (_JOBS.metrics, _JOBS.best, _JOBS.costs, _JOBS.finished, _JOBS.facts)


def export(index: Index, study: str | None = None, alive: Alive = is_alive) -> list[Record]:
    """A record per job of all studies, or of the one of this name or key; plain types only.

    Ordered by study, place in its plan, and id; jobs that left their studies come last. Raises
    InputError for an unknown study.
    """
    return index.read(partial(_records, study=study, alive=alive))


def study_results(index: Index, key: str, alive: Alive = is_alive) -> StudyResults:
    """A study's plan and what its jobs have measured; InputError for an unknown key.

    Costs belong to a whole run, so they stand in the columns of the last and of the best epoch.
    """
    return index.read(partial(_study_results, key=key, alive=alive))


def _records(connection: Connection, study: str | None, alive: Alive) -> list[Record]:
    query = planned_jobs(
        *STATE_COLUMNS,
        *PLAN_COLUMNS[1:5],
        _PLANNED.study,
        _JOBS.method,
        _JOBS.profile,
        *_MEASURED,
    )
    if study is not None:
        query = query.where(_PLANNED.study == find_study(connection, study))
    rows = connection.execute(query).all()
    found = statuses((row[: len(STATE_COLUMNS)] for row in rows), alive)
    first = list({row.job: row for row in reversed(rows)}.values())[::-1]
    if study is None:
        left = _left_over(connection)
        found |= {row.job: job_status(row, alive) for row in left}
        first += left
    names, methods = _names(connection), _methods(connection)
    metrics, best, costs, resumed = (
        parsed([getattr(row, name) for row in first], empty)
        for name, empty in (
            ("metrics", "{}"), ("best", "{}"), ("costs", "{}"), ("resumed_from", "[]")
        )
    )  # fmt: skip
    return [
        {
            "id": row.job,
            "studies": names.get(row.job, []),
            "variant": row.variant,
            "pair": row.pair,
            "seed": row.seed,
            "status": found[row.job].value,
            "attempts": row.attempts or 0,
            "resumed_from": resumed[i],
            "metrics": _without_costs(metrics[i]),
            "weights_digest": row.weights_digest or None,
            "kind": row.kind,
            "method": row.method or methods.get((row.study, row.variant)),
            "profile": row.profile or methods.get((row.study, "")),
            "best": _without_costs(best[i]),
            "best_epoch": row.best_epoch or None,
            "costs": _only_costs(metrics[i]) | costs[i],
        }
        for i, row in enumerate(first)
    ]


def _left_over(connection: Connection) -> list[Any]:
    """Jobs that no study has any more, in the shape of the others."""
    nothing = select(_PLANNED.job).where(_PLANNED.job == _JOBS.id)
    query = (
        select(
            _JOBS.id.label("job"),
            *(_JOBS[c.name] for c in STATE_COLUMNS if c.name in _JOBS),
            *(_JOBS[name] for name in ("kind", "pair", "seed", "method", "profile")),
            *_MEASURED,
            null().label("study"),
            null().label("variant"),
        )
        .where(~nothing.exists())
        .order_by(_JOBS.id)
    )
    return list(connection.execute(query).all())


def _names(connection: Connection) -> dict[str, list[str]]:
    """Names of the studies that each job belongs to, sorted."""
    joined = schema.study_jobs.join(schema.studies, schema.studies.c.key == _PLANNED.study)
    query = select(_PLANNED.job, schema.studies.c.name).select_from(joined).distinct()
    found: dict[str, list[str]] = {}
    for job, name in connection.execute(query.order_by(schema.studies.c.name)):
        found.setdefault(job, []).append(name)
    return found


def _methods(connection: Connection) -> dict[tuple[str, str], str]:
    """(study, variant) -> method, and (study, "") -> profile, for jobs that never started."""
    found = {}
    query = select(schema.studies.c.key, schema.studies.c.profile, schema.studies.c.document)
    rows = connection.execute(query).all()
    for row, document in zip(rows, parsed([row.document for row in rows], "{}"), strict=True):
        found[row.key, ""] = row.profile
        found |= {(row.key, v["label"]): v["method"] for v in document["variants"]}
    return found


def _study_results(connection: Connection, key: str, alive: Alive) -> StudyResults:
    plan = read_plan(connection, key, jobs=())
    columns = (*STATE_COLUMNS, *PLAN_COLUMNS[1:5], *_MEASURED_OF_RUN)
    rows = connection.execute(planned_jobs(*columns).where(_PLANNED.study == key)).all()
    found = statuses((row[: len(STATE_COLUMNS)] for row in rows), alive)
    students = [row for row in rows if row.variant is not None]
    known = _by_column([column.name for column in columns], students)
    return StudyResults(plan, _runs(known, found), _teachers(connection, key, found), _facts(known))


def _by_column(names: Sequence[str], rows: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Rows turned on their side, which is faster to work on where there are very many."""
    return dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))


def _runs(known: Mapping[str, Sequence[Any]], found: Mapping[str, Status]) -> tuple[Run, ...]:
    last, best, costs = (parsed(known[name], "{}") for name in ("metrics", "best", "costs"))
    last = [{**own, **measured} for own, measured in zip(last, costs, strict=True)]
    best = [{**own, **_only_costs(all_)} for own, all_ in zip(best, last, strict=True)]
    plan = (known[name] for name in ("variant", "pair", "seed", "job"))
    return tuple(map(Run, *plan, map(found.get, known["job"]), last, best, known["finished"]))


def _teachers(
    connection: Connection, key: str, found: Mapping[str, Status]
) -> tuple[TeacherRun, ...]:
    columns = (*PLAN_COLUMNS, _JOBS.metrics, _JOBS.weights_digest, _JOBS.checkpoint)
    of_study = planned_jobs(*columns).where(
        _PLANNED.study == key, _PLANNED.variant.is_(None), _PLANNED.kind == "teacher"
    )
    rows = connection.execute(of_study).all()
    metrics = parsed([row.metrics for row in rows], "{}")
    return tuple(
        TeacherRun(
            row.pair,
            found[row.job],
            row.job,
            top1 if (top1 := measured.get("top1")) is not None and math.isfinite(top1) else None,
            row.weights_digest or "",
            row.checkpoint or "",
        )
        for row, measured in zip(rows, metrics, strict=True)
    )


def _facts(known: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, ...]]:
    """Distinct values of each fact over the study's finished student jobs."""
    done = {f for f, now in zip(known["facts"], known["status"], strict=True) if now == Status.DONE}
    found: dict[str, set[str]] = {}
    for facts in parsed(sorted(done), "{}"):
        for name, value in facts.items():
            found.setdefault(name, set()).add(value)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def _without_costs(values: dict[str, float]) -> dict[str, float]:
    if _COSTS.isdisjoint(values):
        return values
    return {name: value for name, value in values.items() if name not in _COSTS}


def _only_costs(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name in _COSTS}
