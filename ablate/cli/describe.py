"""Jobs and studies in lines of plain text, for `status` and `show`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ablate.matrix.identity import short
from ablate.methods.parts import format_value
from ablate.report.tables.table import STATES
from ablate.store.find import in_words

if TYPE_CHECKING:
    from ablate.matrix.plan import PlannedJob
    from ablate.methods.session import JobConfig
    from ablate.store.history import Attempt
    from ablate.store.job_result import JobResult
    from ablate.store.query import JobDetails, JobState, Resumption, StudySummary


def moment(seconds: float | None) -> str:
    """Unix time as people read it; "-" if unknown."""
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def study_line(summary: StudySummary, *, by_key: bool = False) -> str:
    """A study in a line, by its name or its key: "tau (quick): 8 done, 2 running"."""
    plan = summary.plan
    counts = [f"{summary.counts[s]} {s}" for s in STATES if summary.counts.get(s)]
    name = plan.key if by_key else plan.name
    settings = ", ".join(filter(None, (plan.profile, in_words(plan.overrides))))
    return f"{name} ({settings}): " + (", ".join(counts) or "no jobs")


def status_lines(jobs: Iterable[JobState]) -> Iterator[str]:
    """A line per job, and one under it for each time it resumed."""
    for job in jobs:
        where = f"epoch {job.epoch}" if job.epoch and job.status != "done" else ""
        tries = f"{job.attempts} attempt{'s' * (job.attempts != 1)}" if job.attempts else ""
        details = "  ".join(filter(None, (tries, where)))
        yield f"  {short(job.id)}  {job.status:11}  {job_in_words(job)}  {details}"
        for resumption in job.resumptions:
            yield f"      {resumed(resumption)}"
        if job.error:
            yield f"      {job.error}"


def job_in_words(job: JobState | PlannedJob) -> str:
    """What a job is, in words: "τ = 0.2, resnet14/resnet8, seed 1"."""
    what = job.variant or job.kind.replace("_", " ")
    return ", ".join(filter(None, (what, job.pair, f"seed {job.seed}")))


def resumed(resumption: Resumption) -> str:
    """One resumption: "resumed from epoch 3, step 66, attempt 2, lost 0.4 s"."""
    epoch = f"epoch {resumption.epoch}, " if resumption.epoch is not None else ""
    lost = f", lost {resumption.lost_seconds:.1f} s" if resumption.lost_seconds is not None else ""
    at = f" at {moment(resumption.time)}" if resumption.time is not None else ""
    return f"resumed from {epoch}step {resumption.step}, attempt {resumption.attempt}{lost}{at}"


def job_record(job: JobDetails) -> dict[str, Any]:
    """All that is known of a job, as plain types."""
    return {
        "id": job.id,
        "status": job.status,
        "folder": str(job.path),
        "studies": [{"study": key, **asdict(planned)} for key, planned in job.studies],
        "config": None if job.config is None else asdict(job.config),
        "attempts": [asdict(attempt) for attempt in job.history.attempts],
        "result": None if job.result is None else asdict(job.result),
        "error": job.gone or job.history.error,
        "damaged_events": job.damaged,
    }


def job_lines(job: JobDetails) -> Iterator[str]:
    """All that is known of a job."""
    yield f"job      {job.id}"
    yield f"status   {job.status}"
    for key, planned in job.studies:
        yield f"study    {key}: {job_in_words(planned)}"
    yield f"folder   {job.path}"
    yield f"log      {job.path / 'log.txt'}"
    for attempt in job.history.attempts:
        yield from _attempt_lines(attempt)
    if job.result:
        yield from _result_lines(job.result)
    elif error := job.gone or job.history.error:
        yield f"error    {error}"
    if job.doubt:
        yield f"doubt    {job.doubt}"
    facts = {**job.history.facts, **(job.result.facts if job.result else {})}
    for name, text in sorted(facts.items()):
        yield f"fact     {name} = {text}"
    if job.config is not None:
        yield from _config_lines(job.config)


def _result_lines(result: JobResult) -> Iterator[str]:
    """What a finished job measured, at its last epoch and at its best one, and what it left."""
    for name, value in sorted(result.metrics.items()):
        yield f"metric   {name} = {value:.6g}"
    for name, value in sorted(result.best.items()):
        yield f"best     {name} = {value:.6g}, epoch {result.best_epoch or '-'}"
    for name, value in sorted(result.costs.items()):
        yield f"cost     {name} = {value:.6g}"
    yield f"weights  {result.weights_digest or '-'}"
    for name, artifact in sorted(result.artifacts.items()):
        yield f"artifact {name} = {artifact.sha256}, {artifact.size:,} bytes"
    for role, used in sorted(result.upstream.items()):
        yield from (f"used     {role}/{name} = {digest}" for name, digest in sorted(used.items()))


def _config_lines(config: JobConfig) -> Iterator[str]:
    yield f"config   method = {config.method}, data = {config.data or '-'}"
    yield f"config   networks = {config.pair or '-'}, seed = {config.seed}"
    yield f"config   code = {config.code}"
    for name, setting in sorted(config.settings.items()):
        yield f"config   {name} = {format_value(setting)}"
    for name, digest in sorted(config.inputs.items()):
        yield f"input    {name} = {digest}"
    for role, needed in config.upstream.items():
        yield f"upstream {role} = {short(needed)}"


def _attempt_lines(attempt: Attempt) -> Iterator[str]:
    end = f"{attempt.outcome} {moment(attempt.ended)}" if attempt.outcome else "open"
    yield (
        f"attempt  {attempt.number}: started {moment(attempt.started)} on {attempt.device or '-'}, "
        f"{end}, last epoch {attempt.last_epoch}, step {attempt.last_step}"
    )
    if attempt.resumed_step is not None:
        lost = f", lost {attempt.lost_seconds:.1f} s" if attempt.lost_seconds is not None else ""
        epoch = f"epoch {attempt.resumed_epoch}, " if attempt.resumed_epoch is not None else ""
        yield f"           resumed from {epoch}step {attempt.resumed_step}{lost}"
    for name in attempt.rejected:
        yield f"           corrupt checkpoint passed over: {name}"
    if attempt.error:
        yield f"           {attempt.error}"
