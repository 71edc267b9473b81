"""A preview in plain text: the short form that a run prints first, and every job in a line."""

from __future__ import annotations

from collections.abc import Iterator

from ablate.matrix.preview import Preview, PreviewJob, PreviewState

_REMEDIES = {PreviewState.FAILED: " (`ablate retry` puts failed jobs back)"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def short_preview(preview: Preview) -> list[str]:
    """What a run is about to do and what that costs, in a few lines."""
    notices = [f"note: {notice}" for notice in preview.notices]
    warnings = [f"warning: {warning}" for warning in preview.warnings]
    return [_jobs_line(preview), _cost_line(preview), *notices, *warnings]


def long_preview(preview: Preview) -> Iterator[str]:
    """The short form, then a line for every job with its state, its cost and its reason."""
    yield from short_preview(preview)
    for job in preview.jobs:
        yield f"  {job.short_id}  {job.state:9}  {_name(job)}{_note(job)}"


def _jobs_line(preview: Preview) -> str:
    upstream = sum(job.row is None for job in preview.jobs)
    shape = " × ".join(
        _counted(number, word)
        for number, word in (
            (len(preview.rows), "row"), (len(preview.pairs), "pair"), (len(preview.seeds), "seed"),
        )
    )  # fmt: skip
    more = f" and {upstream} upstream" if upstream else ""
    states = [
        f"{preview.counts[state]} {state}{_REMEDIES.get(state, '')}"
        for state in PreviewState
        if preview.counts[state]
    ]
    total = _counted(len(preview.jobs), "job")
    text = f"{preview.study} ({preview.profile}): {shape}{more}: {total}, {', '.join(states)}"
    if preview.most_seeds > len(preview.seeds):
        text += f"; the rule for seeds adds up to {preview.most_seeds} seeds"
    return text


def _cost_line(preview: Preview) -> str:
    if not any(job.state.runs for job in preview.jobs):
        return f"nothing to run{_added_seeds(preview)}"
    if preview.seconds is None:
        unknown = sum(job.state.runs and job.cost.seconds is None for job in preview.jobs)
        return f"time: unknown for {_counted(unknown, 'job')}, no earlier run of the same kind"
    text = f"time: about {duration(preview.seconds)} of work"
    if preview.most_seconds is not None and preview.most_seconds > preview.seconds:
        text += f", at most {duration(preview.most_seconds)}"
    slots = _counted(preview.machine.slots, "slot")
    if preview.wall_clock_s is not None:
        text += f"; {duration(preview.wall_clock_s)} on {slots} ({preview.machine.name})"
    if preview.disk_bytes is not None:
        text += f"; disk: {preview.disk_bytes / 2**20:,.0f} MiB"
    return text


def _added_seeds(preview: Preview) -> str:
    """What a rule may add where all jobs of the first seeds have ended."""
    if preview.most_seeds <= len(preview.seeds):
        return ""
    seconds = preview.most_seconds
    time = "time unknown" if seconds is None else f"at most {duration(seconds)} of work"
    return f" now; seeds that the rule may add: {time}"


def _name(job: PreviewJob) -> str:
    what = job.row if job.row is not None else job.kind.replace("_", " ")
    return ", ".join(filter(None, (what, job.pair, f"seed {job.seed}")))


def _note(job: PreviewJob) -> str:
    parts = [job.reason] if job.reason else []
    if job.cost.seconds is not None:
        parts.append(f"about {duration(job.cost.seconds)}")
    if job.cost.memory_bytes is not None:
        parts.append(f"{job.cost.memory_bytes / 2**20:,.0f} MiB")
    if job.shared_with:
        parts.append(f"shared with {', '.join(job.shared_with)}")
    return f"  ({'; '.join(parts)})" if parts else ""


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)
