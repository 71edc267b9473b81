"""Find jobs and studies by the text that a user types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, union_all

from ablate.errors import InputError, Problem, Remedy, UnclearError, did_you_mean
from ablate.matrix.identity import short
from ablate.methods.parts import Value, format_value
from ablate.store import schema

_LISTED = 8  #: candidates that a message names


def find_job(connection: Connection, prefix: str) -> str:
    """Full id of the one job whose id starts so; InputError lists the candidates if several do."""
    start = prefix.strip().lower()
    found = _jobs_from(connection, start) if start else []
    ids = sorted({str(row.id) for row in found})
    if len(ids) == 1:
        return ids[0]
    if not ids:
        problem = Problem("job", "", f'no job\'s id starts with "{prefix}"')
        raise InputError(problem).helped_by(Remedy("status", ("--all",)))
    described = {row.id: _described(row) for row in reversed(found)}
    listed = ", ".join(described[job] for job in ids[:_LISTED])
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    message = f'{len(ids)} jobs have ids that start with "{prefix}"'
    raise InputError(Problem("job", "", message, f"one of: {listed}{more}"))


class IndexedStudy(NamedTuple):
    """A study of the index."""

    key: str
    name: str
    profile: str
    registered: float  #: unix time when it was last asked for
    overrides: str = ""  #: what --set changed, in words

    @property
    def described(self) -> str:
        """Its key, and what tells it from others of its name: "tau-quick-1f2e (epochs = 2)"."""
        return f"{self.key} ({self.overrides or 'no overrides'})"


def in_words(overrides: Mapping[str, Value]) -> str:
    """Overrides of --set as text: "epochs = 2, lr = 0.1"."""
    return ", ".join(f"{name} = {format_value(value)}" for name, value in overrides.items())


def find_studies(
    connection: Connection, name: str | None = None, *, superseded: bool = False
) -> list[IndexedStudy]:
    """Studies of a name, the one of this key, or all; by name, the latest registered first.

    Of those that differ in nothing but code or baseline, only the latest is found, unless it is
    asked for by its key or the `superseded` ones are included.
    """
    c = schema.studies.c
    query = select(c.key, c.name, c.profile, c.document, c.registered)
    if name is not None:
        query = query.where((c.name == name) | (c.key == name))
    found = connection.execute(query.order_by(c.name, c.registered.desc(), c.key)).all()
    latest: dict[tuple[str, ...], IndexedStudy] = {}
    for row in found:
        own = (row.key,) if superseded or row.key == name else ()
        settings = (row.name, row.profile, _overrides(row.document), *own)
        latest.setdefault(settings, _found(row))
    return list(latest.values())


def count_jobs(connection: Connection) -> int:
    """How many jobs the studies have, a job of two of them counted twice."""
    query = select(func.count()).select_from(schema.study_jobs)
    return int(connection.execute(query).scalar_one())


def find_study(connection: Connection, name: str, profile: str | None = None) -> str:
    """Key of the study of this name (and profile), or of this key.

    Of studies that differ in nothing but code or baseline, it is the latest registered. InputError
    if there is none, or if several of different profiles or overrides could be meant.
    """
    named = find_studies(connection, name)
    exact = [study for study in named if study.key == name]
    found = exact or [study for study in named if profile in (None, study.profile)]
    if not found:
        wrong = f'no study "{name}"' + (f' under profile "{profile}"' if profile else "")
        known = sorted({study.name for study in find_studies(connection)})
        raise InputError(Problem("study", "", f"{wrong} has been run", did_you_mean(name, known)))
    if len(found) > 1:
        listed = ", ".join(study.described for study in found)
        message = f'"{name}" was run under several profiles or overrides'
        problem = Problem("study", "", message, f"one of: {listed}")
        raise UnclearError(problem, [study.key for study in found])
    return found[0].key


def _found(row: Any) -> IndexedStudy:
    overrides = json.loads(row.document)["overrides"]
    return IndexedStudy(row.key, row.name, row.profile, row.registered, in_words(overrides))


def _overrides(document: str) -> str:
    return json.dumps(json.loads(document)["overrides"], sort_keys=True)


def _jobs_from(connection: Connection, prefix: str) -> Sequence[Any]:
    """Jobs whose id starts so, those of studies first; ids are hex, so "g" comes after all."""
    planned, known = schema.study_jobs.c, schema.jobs.c
    return connection.execute(
        union_all(
            select(planned.job.label("id"), planned.variant, planned.pair, planned.seed).where(
                planned.job >= prefix, planned.job < prefix + "g"
            ),
            select(known.id, known.kind, known.pair, known.seed).where(
                known.id >= prefix, known.id < prefix + "g"
            ),
        )
    ).all()


def _described(row: Any) -> str:
    words = (row.variant or "upstream", row.pair, f"seed {row.seed}")
    return f"{short(row.id)} ({', '.join(filter(None, words))})"
