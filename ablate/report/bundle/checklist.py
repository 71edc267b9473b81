"""Paragraphs on settings, error bars and compute, from what the results folder knows.

They answer questions 6 to 8 of the NeurIPS paper checklist; what the tool cannot know, they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import ablate
from ablate.methods.lifecycle import JobStatus
from ablate.methods.parts import format_value
from ablate.report.choices import Selection
from ablate.report.renderers.markdown import escape
from ablate.report.tables.analysis import Analysis, analyse, plan_metrics
from ablate.report.tables.coverage import coverage
from ablate.report.tables.footer import seeds_text, value_text
from ablate.report.tables.table import STATES
from ablate.report.tables.text import amount
from ablate.store.query import JobState
from ablate.store.results import StudyResults


def checklist(results: StudyResults, jobs: Sequence[JobState], worked: Mapping[str, float]) -> str:
    """The paragraphs as Markdown; `worked`: job -> seconds of all its attempts."""
    metrics = [metric for metric in plan_metrics(results.plan) if metric.compared]
    analysis = analyse(results, metrics[0], Selection.LAST) if metrics else None
    return "\n\n".join(
        [
            f"# {escape(results.plan.title)}: for a paper's checklist",
            "Written from what was recorded; check it against the paper before you use it.",
            "## Experimental setting (6)",
            _setting(results),
            "## Error bars (7)",
            _error_bars(analysis) if analysis else "No metric of the study is compared.",
            "## Compute (8)",
            _compute(results, jobs, worked),
        ]
    ) + "\n"  # fmt: skip


def _setting(results: StudyResults) -> str:
    plan = results.plan
    main = value_text(results, Selection.LAST, plan.metrics[0].name if plan.metrics else "")
    changed = [f"{key} = {format_value(value)}" for key, value in plan.overrides.items()]
    sentences = [
        f"Data: {plan.data or 'see the configurations'}. Profile: {plan.profile or 'none'}.",
        f"{len(plan.variants)} rows on {len(plan.pairs)} "
        f"pair{'s' * (len(plan.pairs) != 1)}, {seeds_text(plan.seeds)}.",
        f"Changed by hand: {', '.join(changed)}." if changed else "",
        f"Values are those of the {main}; no epoch was chosen on the test set."
        if main == "last epoch"
        else f"Values: {main}.",
        "Every job's resolved configuration is in results/runs/*/config.json; a job's id is the "
        "digest of that configuration and of the code that it reaches.",
    ]
    return escape(" ".join(sentence for sentence in sentences if sentence))


def _error_bars(analysis: Analysis) -> str:
    plan = analysis.plan
    sentences = [
        "± is the sample standard deviation over seeds. Each row is compared with the baseline, "
        f"{analysis.baseline}, on the seeds that both have, so differences are paired.",
    ]
    for pair in plan.pairs:
        family = analysis.family(pair)
        if family is None or not family.has_intervals or family.df is None:
            sentences.append(f"On {pair} nothing is tested.")
            continue
        width = ""
        if family.widest is not None:
            width = f"; the widest is ±{amount(analysis.metric, family.widest)}"
        share = f"{100 * (1 - family.level):g} % intervals over {family.rows} "
        sentences.append(
            f"On {pair}: simultaneous {share}row{'s' * (family.rows != 1)} (Student's t, "
            f"{family.df:.1f} degrees of freedom, variance pooled over rows and never below a "
            f"row's own, Bonferroni){width}."
        )
        if family.looks:
            earlier = " and ".join(map(str, family.looks))
            sentences.append(f"Its rows were tested before, with {earlier} seeds.")
    sentences.append(
        f"The intervals cover {coverage(plan, plan.pairs)}; they assume that "
        " differences are roughly normal. Diverged seeds count as outcomes: such a row is "
        "never called better."
    )
    return escape(" ".join(sentences))


def _compute(results: StudyResults, jobs: Sequence[JobState], worked: Mapping[str, float]) -> str:
    counts = Counter(job.status for job in jobs)
    states = ", ".join(f"{counts[status]} {status}" for status in STATES if status in counts)
    own = [worked[job.id] for job in jobs if job.id in worked]
    facts = results.facts
    device = ", ".join(facts.get("device", ())) or "not recorded"
    threads = ", ".join(facts.get("threads", ()))
    memory = [run.last["peak_memory_mib"] for run in results.runs if "peak_memory_mib" in run.last]
    lost = sum(r.lost_seconds or 0.0 for job in jobs for r in job.resumptions)
    done = [worked[job.id] for job in jobs if job.status is JobStatus.DONE and job.id in worked]
    sentences = [
        f"Device: {device}{f', {threads} threads' if threads else ''}.",
        f"{len(jobs)} jobs, teachers and other upstream work among them: {states}.",
        f"They worked for {sum(own) / 3600:.2f} device hours in all"
        + (f", a finished job for {min(done):.1f} to {max(done):.1f} s." if done else "."),
        f"At most {max(memory):,.0f} MiB of memory." if memory else "",
        f"{lost:.0f} s of it were lost to interruptions and done again." if lost else "",
        "Not counted, as it is not known here: preliminary and failed experiments outside of this "
        "study.",
        f"Made with ablate {ablate.__version__}, torch {', '.join(facts.get('torch', ())) or '?'}, "
        f"training code {results.plan.code[:12] or 'not recorded'}.",
    ]
    return escape(" ".join(sentence for sentence in sentences if sentence))
