"""`ablate status`: how each study and each job stands, and which jobs resumed from where."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ablate.cli.common import (
    DebugOption,
    JsonOption,
    ResultsOption,
    StudyNameArgument,
    existing_results,
    guarded,
    tell,
)
from ablate.errors import InputError, Problem, did_you_mean

AllOption = Annotated[bool, typer.Option("--all", help="Also jobs that are done or waiting.")]

#: From here on, jobs that simply wait or are done are counted, not listed.
MANY = 60


@guarded
def status(
    study: StudyNameArgument = None,
    results: ResultsOption = None,
    all_: AllOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show each job's state and attempts, and for a resumed one the step it resumed from."""
    from ablate.cli.describe import status_lines, study_line
    from ablate.store import query
    from ablate.store.index import Index

    with Index.open(existing_results(results)) as index:
        found = query.studies(index)
        names = [s.plan.name for s in found]
        chosen = [s for s in found if study in (None, s.plan.name, s.plan.key)]
        if study is not None and not chosen:
            hint = did_you_mean(study, list(dict.fromkeys(names)))
            raise InputError(Problem(str(index.results), "", f'no study "{study}"', hint))
        states = {s.plan.key: query.job_states(index, s.plan.key) for s in chosen}
    if as_json:
        typer.echo(json.dumps([_record(s, states[s.plan.key]) for s in chosen], indent=2))
        return
    for summary in chosen:
        tell(study_line(summary, by_key=names.count(summary.plan.name) > 1))
        jobs = states[summary.plan.key]
        listed = jobs if all_ or len(jobs) <= MANY else [j for j in jobs if _tells_something(j)]
        for line in status_lines(listed):
            tell(line)
        if len(listed) < len(jobs):
            typer.echo(f"  and {len(jobs) - len(listed)} jobs done or waiting (--all lists them)")


def _tells_something(job: Any) -> bool:
    return bool(job.resumptions or job.error) or job.status not in ("done", "waiting")


def _record(summary: Any, jobs: list[Any]) -> dict[str, Any]:
    return {
        "study": summary.plan.name,
        "key": summary.plan.key,
        "profile": summary.plan.profile,
        "counts": {str(status): count for status, count in summary.counts.items()},
        "jobs": [{**vars(job), "resumptions": [vars(r) for r in job.resumptions]} for job in jobs],
    }
