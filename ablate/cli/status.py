"""`ablate status`: how each study and each job stands, and which jobs resumed from where."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.common import (
    DebugOption,
    JsonOption,
    ResultsOption,
    StudyNameArgument,
    existing_results,
    guarded,
    study_name,
    tell,
)
from ablate.errors import InputError, Problem, did_you_mean

if TYPE_CHECKING:
    from ablate.store.query import JobState, StudySummary

AllOption = Annotated[bool, typer.Option("--all", help="Also jobs that are done or waiting.")]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Show it again every few seconds until Ctrl-C.")
]
SyncOption = Annotated[
    bool, typer.Option("--sync", help="First take in what happened on the cluster.")
]

MANY = 60  #: from here on, jobs that simply wait or are done are counted, not listed
_WATCH_S = 3.0
_CLEAR = "\x1b[H\x1b[2J"

Found = list[tuple["StudySummary", "list[JobState]"]]


@guarded
def status(
    study: StudyNameArgument = None,
    results: ResultsOption = None,
    all_: AllOption = False,
    watch: WatchOption = False,
    sync: SyncOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show how studies and jobs stand, and which jobs resumed from where.

    Example: ablate status lpred_symmetry --watch
    """
    if sync:
        _sync(study, results)
    folder, study = existing_results(results, study), study_name(study)
    if as_json and watch:
        raise InputError(Problem("--watch", "", "prints no JSON", "one of --watch and --json"))
    if not watch:
        _show(folder, study, all_=all_, as_json=as_json)
        return
    _repeat(lambda: _show(folder, study, all_=all_, as_json=False))


def _sync(study: str | None, results: str | None) -> None:
    """Carry out `ablate sync` of one study; how its jobs stand is then shown."""
    from ablate.cli.cluster import sync
    from ablate.cli.common import study_file

    if study is None:
        raise InputError(Problem("--sync", "", "needs a study", "ablate status STUDY --sync"))
    with suppress(typer.Exit):
        sync([study_file(Path(study))], results=results)


def _repeat(show: Callable[[], None], pause: Callable[[float], None] = time.sleep) -> None:
    """Show again and again; Ctrl-C ends it as it ends every command."""
    import sys

    while True:
        if sys.stdout.isatty():
            typer.echo(_CLEAR, nl=False)
        show()
        pause(_WATCH_S)


def _show(folder: Path, study: str | None, *, all_: bool, as_json: bool) -> None:
    from ablate.cli.glance import glance

    found, seconds, doubled = _read(folder, study)
    if as_json:
        records = [_record(summary, jobs, seconds) for summary, jobs in found]
        typer.echo(json.dumps(records, indent=2))
        return
    tell(glance((job for _, jobs in found for job in jobs), seconds).sentence(), wrap=True)
    for summary, jobs in found:
        for line in _lines(summary, jobs, by_key=summary.plan.name in doubled, all_=all_):
            tell(line, wrap=True)


def _read(folder: Path, study: str | None) -> tuple[Found, dict[str, float], set[str]]:
    """The chosen studies with their jobs, the seconds of each job, and names that two have."""
    from ablate.store import query
    from ablate.store.index import Index

    with Index.open(folder) as index:
        summaries = query.studies(index)
        names = [summary.plan.name for summary in summaries]
        chosen = [s for s in summaries if study in (None, s.plan.name, s.plan.key)]
        if study is not None and not chosen:
            hint = did_you_mean(study, list(dict.fromkeys(names)))
            raise InputError(Problem(str(index.results), "", f'no study "{study}"', hint))
        found = [(summary, query.job_states(index, summary.plan.key)) for summary in chosen]
        seconds = query.seconds_worked(index)
    return found, seconds, {name for name in names if names.count(name) > 1}


def _lines(
    summary: StudySummary, jobs: list[JobState], *, by_key: bool, all_: bool
) -> Iterator[str]:
    from ablate.cli.describe import moment, status_lines, study_line

    yield study_line(summary, by_key=by_key)
    yield f"  {summary.plan.title}; last run {moment(summary.registered)}"
    listed = jobs if all_ or len(jobs) <= MANY else [j for j in jobs if _tells_something(j)]
    yield from status_lines(listed)
    if len(listed) < len(jobs):
        yield f"  and {len(jobs) - len(listed)} jobs done or waiting (--all lists them)"


def _tells_something(job: JobState) -> bool:
    return bool(job.resumptions or job.error) or job.status not in ("done", "waiting")


def _record(summary: StudySummary, jobs: list[JobState], seconds: dict[str, float]) -> Any:
    from ablate.cli.glance import glance

    plan = summary.plan
    return {
        "study": plan.name,
        "key": plan.key,
        "title": plan.title,
        "profile": plan.profile,
        "overrides": dict(plan.overrides),
        "last_run": summary.registered,
        "glance": glance(jobs, seconds).to_json(),
        "counts": {str(status): count for status, count in summary.counts.items()},
        "jobs": [{**vars(job), "resumptions": [vars(r) for r in job.resumptions]} for job in jobs],
    }
