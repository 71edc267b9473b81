"""Studies that several tests look at."""

from __future__ import annotations

from typing import Any

from ablate.methods.cocord import COCORD
from ablate.store.results import StudyResults
from tests.report.results_builder import BOTH, PRED, SYM, SYMMETRY, build, one_pair, variant

NASTY = (
    "50%_a&b#{}~^\\$",
    "[bold]x[/] <b>é Łódź 中文</b> \"q\" --- 'x''y' *|`",
    "* star λ_ctr × m_c wrn_40_2 L̃_pred ŷ α→β",
)
PAIRS = ("resnet110/resnet32", "vgg13/MobileNetV2")


def two_pairs(**changes) -> StudyResults:
    """Four seeds on two pairs with a reference row; one variant is in trouble."""
    rows = (*SYMMETRY, variant("KD", "reference", "kd"))
    first, second = PAIRS
    top1: dict[tuple[str, str], list[Any]] = {
        ("KD", first): [71.2, 71.5, 71.1, 71.4],
        ("KD", second): [67.2, 67.9, 67.5, 67.1],
        (BOTH, first): [72.4, 72.1, 72.8, 72.5],
        (BOTH, second): [69.8, 69.9, 69.3, 69.7],
        (PRED, first): [71.1, 70.9, 71.4, 71.2],
        (PRED, second): [69.5, "failed", "diverged", 69.6],
        (SYM, first): [72.2, 72.3, 72.4, 72.6],
        (SYM, second): [],
    }
    return build(
        {"top1": top1}, rows, PAIRS, (0, 1, 2, 3),
        **{"footnotes": ("feature widths differ; mismatch rule: matching layers",), **changes},
    )  # fmt: skip


def paper(**changes) -> StudyResults:
    """The same study as published: its baseline and KD follow the published recipes."""
    recipe = COCORD.baseline({"teacher": "resnet110", "student": "resnet32"})
    about = {
        "baseline": recipe,
        "profile": "paper",
        "profile_title": "the published recipe",
        "data": "CIFAR-100",
    }
    rows = {BOTH: dict.fromkeys(PAIRS, "CoCoRD"), "KD": dict.fromkeys(PAIRS, "KD")}
    return two_pairs(**{**about, "published": rows, **changes})


def methods_only(**changes) -> StudyResults:
    """Methods beside each other, none of them ablated."""
    rows = (
        variant("CoCoRD", "baseline"),
        variant("KD", "reference", "kd"),
        variant("CRD", "reference", "crd"),
    )
    columns = [[72.4, 72.1, 72.8, 72.5], [71.2, 71.5, 71.1, 71.4], [72.0, 72.2, 71.9, 72.3]]
    return build(
        {"top1": one_pair(*columns, variants=rows)}, rows, seeds=(0, 1, 2, 3),
        **{"title": "Published pairs", **changes},
    )  # fmt: skip


def momentum_grid() -> StudyResults:
    """m_c × m_r around a baseline, the variants in its row and column changing one part only."""
    cells = {(0.0, 0.0): 70.1, (0.0, 0.9): 71.0, (0.999, 0.0): 71.2, (1.0, 0.0): 70.4,
             (1.0, 0.9): 71.6}  # fmt: skip
    rows = [variant("m_c = 0.999, m_r = 0.9", "baseline")]
    columns = [[72.0, 72.4, 71.9, 72.2]]
    for (m_c, m_r), top1 in cells.items():
        changes = {"momentum__teacher_head": m_c, "momentum__slow_student": m_r}
        kept: dict[str, Any] = {
            name: value
            for name, value in changes.items()
            if value != {"momentum__teacher_head": 0.999, "momentum__slow_student": 0.9}[name]
        }
        rows.append(variant(f"m_c = {m_c:g}, m_r = {m_r:g}", group="m_c × m_r", **kept))
        columns.append([top1, top1 + 0.3, top1 - 0.2, top1 + 0.15])
    return build(
        {"top1": one_pair(*columns, variants=rows)}, rows, seeds=(0, 1, 2, 3), title="Momentum"
    )


def nasty() -> StudyResults:
    """Names that every output format has to escape, results that are hard to show."""
    rows = (variant(NASTY[0], "baseline"), *(variant(name, group=name) for name in NASTY[1:]))
    return build(
        {"top1": one_pair([1.0, 2, 3], [2.0, 3, 4], ["failed", "diverged", "failed"],
                          variants=rows)},
        rows,
        title=NASTY[0],
        question="Why? \\input{x} ${}$ <script>alert(1)</script> [red]no[/red]",
        footnotes=("* _ & % # ~ \\ <i>",),
        overrides={"lr": 0.1},
    )  # fmt: skip


def many_rows(count: int = 200) -> StudyResults:
    """A sweep with `count` rows."""
    rows = [variant("τ = 0.1", "baseline")]
    rows += [variant(f"τ = {i}", group="τ", temperature=float(i)) for i in range(1, count)]
    columns = [[50 + i / 10, 50.2 + i / 9, 50.1] for i in range(count)]
    return build({"top1": one_pair(*columns, variants=rows)}, rows)


def costs(**changes) -> StudyResults:
    """Accuracy, a loss and two costs."""
    scores = one_pair([94.3, 93.9, 94.6], [94.0, 94.0, 94.3], [93.9, 93.5, 94.6])
    seconds = one_pair([10.0, 11.0, 12.0], [8.0, 8.5, 8.1], [8.2, 8.3, 8.4])
    return build(
        {"top1": scores, "test_loss": one_pair([0.20, 0.21, 0.19], [0.22, 0.25, 0.21],
                                               [0.18, 0.17, 0.19]),
         "train_seconds": seconds, "peak_memory_mib": seconds},
        **changes,
    )  # fmt: skip
