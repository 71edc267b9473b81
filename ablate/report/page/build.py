"""One self-contained page per study: no network, no assets, nothing that runs but its own script.

Every text goes through the template's escaping or `render_html`; the content security policy
allows the page's own style and script by their digests, and images that are part of the page.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import ablate
from ablate.console import without_controls
from ablate.matrix.identity import short
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import Metric
from ablate.methods.parts import format_value
from ablate.report.choices import Selection
from ablate.report.tables.analysis import plan_metrics
from ablate.report.tables.footer import explains_marks
from ablate.report.tables.table import STATES, Table
from ablate.store.results import Point, StudyResults

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from ablate.report.figures.draw import PlannedFigure
    from ablate.report.figures.svg import Picture
    from ablate.store.query import JobState, Resumption

#: Figures on a page: few enough to be drawn in two seconds.
MOST_FIGURES = 6

Draw = Callable[[Sequence["PlannedFigure"]], list["Picture"]]

_KINDS = {"teacher": "teacher", "teacher_table": "table of the teacher's features"}


@dataclass(frozen=True)
class _Job:
    """A line of the list of jobs."""

    id: str
    short: str
    what: str
    pair: str
    seed: int
    status: str
    attempts: int
    epoch: int
    took: str
    seconds: float | None
    device: str
    events: tuple[str, ...]
    error: str


def page(
    results: StudyResults,
    jobs: Sequence[JobState],
    curves: Sequence[Point] | None = None,
    metrics: Sequence[Metric] | None = None,
    selection: Selection = Selection.LAST,
    draw: Draw | None = None,
    worked: Mapping[str, float] | None = None,
) -> str:
    """The page as HTML; `jobs` and `curves` are what `ablate.store.query` gives of the study.

    `metrics` are those of the plan, unless only some are asked for. `draw` makes the pictures of
    all figures, by default one after the other. `worked` is what `seconds_worked` gives: job ->
    seconds of all its attempts.
    """
    from markupsafe import Markup

    plan = results.plan
    css, script = _asset("page.css"), _asset("page.js")
    tables, shared = _tables(results, metrics, selection)
    headline, sentences = _findings(results, metrics, selection)
    planned = _planned(results, curves, metrics, selection)
    chosen = _chosen(planned)
    return _environment().get_template("page.html.j2").render(
        plan=plan,
        version=ablate.__version__,
        policy=_policy(css, script),
        css=Markup(css),  # noqa: S704 - files of this package
        script=Markup(script),  # noqa: S704
        progress=_progress(results),
        headline=headline,
        sentences=sentences,
        tables=tables,
        shared_notes=shared,
        figures=[_shown(one) for one in (draw or _pictures)(chosen)],
        more_figures=len(chosen) < len(planned),
        summary=_summary(results, jobs, worked or {}),
        jobs=[_job(job, (worked or {}).get(job.id)) for job in jobs],
        facts=_facts(results),
        teachers=_teachers(results),
    )  # fmt: skip


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    from ablate.report.renderers import html

    def symbols(text: str) -> Markup:
        return Markup(html.inline(str(text)))  # noqa: S704 - `inline` escapes

    def prose(text: str) -> Markup:
        return Markup(html.prose(str(text)))  # noqa: S704 - escapes, too

    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_asset),
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = symbols
    environment.filters["prose"] = prose
    environment.filters["value"] = format_value
    return environment


def _printable(value: object) -> object:
    """Text of strangers without control characters; markup of our own as it is."""
    return without_controls(value) if type(value) is str else value


def _asset(name: str) -> str:
    return files("ablate.report.page").joinpath(name).read_text(encoding="utf-8")


def _policy(css: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{digest(css)}'; "
        f"script-src 'sha256-{digest(script)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _tested_metrics(results: StudyResults, metrics: Sequence[Metric] | None) -> tuple[Metric, ...]:
    """Metrics that are tested and drawn: costs are neither."""
    chosen = plan_metrics(results.plan) if metrics is None else metrics
    return tuple(metric for metric in chosen if not metric.cost)


def _findings(
    results: StudyResults, metrics: Sequence[Metric] | None, selection: Selection
) -> tuple[Sequence[str], Sequence[str]]:
    """The first metric's headline, and its sentence on each comparison if there are several."""
    from ablate.report.tables.analysis import analyse
    from ablate.report.tables.findings import headline, sentences

    tested = _tested_metrics(results, metrics)
    if not tested:
        return (), ()
    analysis = analyse(results, tested[0], selection)
    each = sentences(analysis)
    return headline(analysis), each if len(each) > 1 else ()


def _tables(
    results: StudyResults, metrics: Sequence[Metric] | None, selection: Selection
) -> tuple[list[dict[str, Any]], list[str]]:
    """Tables with the notes that are theirs alone, and the notes that all of them share."""
    from markupsafe import Markup

    from ablate.report.renderers.html import render_table
    from ablate.report.tables.layouts import choose

    first, *others = choose(results, metrics, selection)
    tables = [replace(first, headline=()), *others]  # the page begins with the first headline
    shared = _shared(tables)
    listed = [
        {
            "title": table.title,
            "html": Markup(render_table(table, footer=False)),  # noqa: S704 - escapes all text
            "notes": [note for note in table.footer if note not in shared],
        }
        for table in tables
    ]
    return listed, shared


def _shared(tables: Sequence[Table]) -> list[str]:
    """Notes of all tables; what explains marks stays under the table that has them."""
    if len(tables) < 2:
        return []
    return [
        note
        for note in tables[0].footer
        if not explains_marks(note) and all(note in other.footer for other in tables)
    ]


def _planned(
    results: StudyResults,
    curves: Sequence[Point] | None,
    metrics: Sequence[Metric] | None,
    selection: Selection,
) -> list[PlannedFigure]:
    from ablate.report.figures.draw import planned_figures

    return planned_figures(
        results, curves, _tested_metrics(results, metrics), selection, footer=False
    )


def _pictures(chosen: Sequence[PlannedFigure]) -> list[Picture]:
    from ablate.report.figures.svg import picture

    return [picture(one) for one in chosen]


def _shown(picture: Picture) -> dict[str, Any]:
    wide = picture.width > 400  # CSS pixels: more than a column
    return {**vars(picture), "wide": wide, "alt": f"{picture.title}. {picture.caption}"}


def _chosen(planned: Sequence[PlannedFigure]) -> list[PlannedFigure]:
    """As many as the page shows: the first of every kind and metric before any second one."""
    alike: Counter[tuple[str, str]] = Counter()
    places = []
    for index, figure in enumerate(planned):
        kind = (figure.kind, figure.metric.name)
        places.append((alike[kind], index))
        alike[kind] += 1
    return [planned[index] for index in sorted(index for _, index in sorted(places)[:MOST_FIGURES])]


def _progress(results: StudyResults) -> str:
    done = sum(run.status is JobStatus.DONE for run in results.runs)
    text = f"{done} of {len(results.runs)} runs done"
    finished = [run.finished for run in results.runs if run.finished is not None]
    if finished:
        text += f", the last on {datetime.fromtimestamp(max(finished), UTC):%Y-%m-%d %H:%M} UTC"
    return text


def _summary(
    results: StudyResults, jobs: Sequence[JobState], worked: Mapping[str, float]
) -> list[str]:
    """How the jobs stand, what they cost, and what interruptions cost: a sentence each."""
    if not jobs:
        return ["No jobs."]
    counts = Counter(job.status for job in jobs)
    words = ", ".join(f"{counts[status]} {status}" for status in STATES if status in counts)
    plural = "job" if len(jobs) == 1 else "jobs"
    sentences = [f"{len(jobs)} {plural}: {words}.", _costs(results, jobs, worked)]
    if resumed := [job for job in jobs if job.resumptions]:
        lost = sum(r.lost_seconds or 0.0 for job in resumed for r in job.resumptions)
        were = "1 job was" if len(resumed) == 1 else f"{len(resumed)} jobs were"
        sentences.append(
            f"{were} resumed after an interruption; {_duration(lost)} of work had to be done again."
        )
    return [sentence for sentence in sentences if sentence]


def _costs(results: StudyResults, jobs: Sequence[JobState], worked: Mapping[str, float]) -> str:
    """Time of all jobs and the largest memory: "They worked for 3 min in all, ..."."""
    seconds = [worked[job.id] for job in jobs if job.id in worked]
    memory = [run.last["peak_memory_mib"] for run in results.runs if "peak_memory_mib" in run.last]
    clauses = []
    if seconds:
        each = f"{_duration(min(seconds))} to {_duration(max(seconds))} each"
        clauses.append(f"worked for {_duration(sum(seconds))} in all, {each}")
    if memory:
        clauses.append(f"took at most {max(memory):,.0f} MiB of memory")
    return f"They {', and '.join(clauses)}." if clauses else ""


def _job(job: JobState, seconds: float | None) -> _Job:
    return _Job(
        job.id,
        short(job.id),
        job.variant if job.variant is not None else _KINDS.get(job.kind, job.kind),
        job.pair,
        job.seed,
        job.status.value,
        job.attempts,
        job.epoch,
        "" if seconds is None else _duration(seconds),
        seconds,
        job.device,
        tuple(map(_resumed, job.resumptions)),
        job.error,
    )


def _resumed(one: Resumption) -> str:
    epoch = "" if one.epoch is None else f"epoch {one.epoch}, "
    lost = "" if one.lost_seconds is None else f", {_duration(one.lost_seconds)} lost"
    return f"attempt {one.attempt}: from {epoch}step {one.step}{lost}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _facts(results: StudyResults) -> list[tuple[str, tuple[str, ...]]]:
    plan = results.plan
    facts: list[tuple[str, tuple[str, ...]]] = [
        ("study", (plan.key,)),
        ("answers", (plan.answers,)),
        ("seeds", (", ".join(map(str, plan.seeds)),)),
        ("training code", (plan.code,)),
    ]
    if plan.overrides:
        changes = tuple(f"{key} = {format_value(value)}" for key, value in plan.overrides.items())
        facts.append(("overrides", changes))
    facts += [("note", (note,)) for note in plan.footnotes]
    facts += list(results.facts.items())
    return [(name, values) for name, values in facts if any(values)]


def _teachers(results: StudyResults) -> list[dict[str, Any]]:
    teachers = []
    for teacher in results.teachers:
        origin = PurePath(teacher.checkpoint).name
        teachers.append(
            {
                "network": teacher.network,
                "status": teacher.status.value,
                "top1": teacher.top1,
                "shown": "—" if teacher.top1 is None else f"{teacher.top1:.2f}",
                "source": f"checkpoint {origin}" if origin else "trained here",
                "digest": teacher.weights_digest,
            }
        )
    return teachers
