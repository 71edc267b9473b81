"""Pages that several tests look at."""

from __future__ import annotations

from typing import Any

from ablate.report.page.build import page
from ablate.store.query import JobState, Resumption
from ablate.store.results import StudyResults
from tests.report.figure_studies import curves_of
from tests.report.results_builder import BOTH, PRED, SYM, build, one_pair, variant

EVIL = (
    "<script>window.pwned = 1</script>",
    '"onload="window.pwned=1" x="',
    "'><img src=x onerror='window.pwned=1'>",
    "</style></script><svg onload=window.pwned=1>{{ 7*7 }}",
)


def evil() -> StudyResults:
    """A study whose every text would like to run."""
    rows = (variant(EVIL[0], "baseline"), *(variant(name, group=name) for name in EVIL[1:]))
    return build(
        {"top1": one_pair([1.0, 2, 3], [2.0, 3, 5], [2.0, 2.5, 4], ["failed"] * 3, variants=rows)},
        rows,
        title=EVIL[3],
        question=EVIL[2],
        answers=EVIL[1],
        footnotes=EVIL[:2],
        overrides={EVIL[0]: EVIL[2]},
        baseline={"epochs": 30, EVIL[1]: EVIL[3]},
        part_labels={EVIL[1]: EVIL[2]},
        facts={EVIL[2]: (EVIL[0], EVIL[1])},
        profile=EVIL[2],
        data=EVIL[0],
    )


def five_pairs() -> StudyResults:
    """As many pairs as stand abreast, in a study that had trouble with each."""
    pairs = (
        "resnet110/resnet32", "wrn_40_2/ShuffleV1", "resnet32x4/ShuffleV2", "vgg13/MobileNetV2",
        "ResNet50/MobileNetV2",
    )  # fmt: skip
    columns = {BOTH: [71.0, 71.3, 70.9, 71.2], PRED: [72.0, 72.2, 71.8, 72.1]}
    scores: dict[tuple[str, str], list[Any]]
    scores = {(row, pair): column for row, column in columns.items() for pair in pairs}
    scores |= {(SYM, pair): [70.0, "failed", "diverged", "running"] for pair in pairs}
    return build({"top1": scores}, pairs=pairs, seeds=range(4))


def job_states(results: StudyResults) -> list[JobState]:
    """How the jobs of a study made by hand stand; the second one was interrupted."""
    resumed = Resumption(2, 3, 120, 12.5, 1000.0)
    return [
        JobState(
            run.job, "student", run.variant, run.pair, run.seed, run.status,
            2 if i == 1 else 1, (), (resumed,) if i == 1 else (),
            "" if run.status == "done" else f"it said {EVIL[0]}", "cpu", 30, 1200,
        )
        for i, run in enumerate(results.runs)
    ]  # fmt: skip


def page_of(results: StudyResults) -> str:
    """The whole page of a study made by hand."""
    return page(results, job_states(results), curves_of(results))
