"""Figures: which are drawn, what they say, and that they are the same files every time."""

from __future__ import annotations

import hashlib
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import matplotlib.colors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from ablate.methods.lifecycle import JobStatus
from ablate.report.choices import Selection
from ablate.report.figures import differences, heatmap, style
from ablate.report.figures.draw import figures, planned_figures, write_figure
from ablate.report.filenames import safe_name
from ablate.report.tables.analysis import analyse
from ablate.store.results import Point
from tests import REPOSITORY
from tests.report.figure_studies import curves_of, sweep
from tests.report.report_studies import costs, many_rows, momentum_grid, nasty, two_pairs
from tests.report.results_builder import BOTH, PRED, SYM, build, metrics, one_pair, variant


def texts_of(figure):
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]


def words_of(figure):
    return "\n".join(text.get_text() for text in texts_of(figure))


def drawn(study, kind):
    return [one for one in figures(study, curves_of(study)) if one.kind == kind]


STUDIES = {
    "pairs": two_pairs,
    "grid": momentum_grid,
    "nasty": nasty,
    "tau": lambda: sweep([0.01, 0.05, 0.2, 1.0], "temperature", "τ", 0.1),
    "momentum": lambda: sweep([0.0, 0.9, 0.99, 1.0], "momentum__teacher_head", "m_c", 0.999),
    "losses": costs,
}


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_fits_a_column_and_can_be_read(name):
    for one in figures(STUDIES[name](), curves_of(STUDIES[name]())):
        width, height = one.figure.get_size_inches()
        assert width == pytest.approx(3.3)
        assert height < 9
        for text in texts_of(one.figure):
            assert text.get_fontsize() >= 7
            box = text.get_window_extent()
            edge = one.figure.bbox
            if box.width and text.get_window_extent().y1 > 0:
                assert box.x0 > edge.x0 - 1, (one.name, text.get_text())
                assert box.x1 < edge.x1 + 1, (one.name, text.get_text())


@pytest.mark.parametrize("seed", range(12))
def test_ticks_have_room_whatever_the_values_are(seed):
    rng = random.Random(seed)
    middle, scale = rng.choice([1.0, 10.9, 12.0, 60.0, 99.9]), rng.choice([0.01, 0.3, 3.0])
    rows = [variant("τ = 0.1", "baseline")]
    rows += [variant(f"τ = {v:g}", group="τ", temperature=v) for v in (0.05, 0.2, 0.5)]
    columns = [[middle + rng.gauss(0, scale) for _ in range(3)] for _ in rows]
    study = build({"top1": one_pair(*columns, variants=rows)}, rows,
                  baseline={"epochs": 1, "temperature": 0.1})  # fmt: skip
    for one in figures(study):
        with style.style():  # whose fonts measure differently from the default ones
            box = one.figure.get_tightbbox(one.figure._get_renderer())
        width, height = one.figure.get_size_inches()
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.01, one.kind


@pytest.mark.parametrize("kind", ["differences", "sensitivity", "curves"])
def test_ticks_do_not_depend_on_the_room_that_the_layout_leaves(kind):
    study = sweep([0.01, 0.05, 0.2, 1.0], "temperature", "τ", 0.1)
    one = next(one for one in figures(study, curves_of(study)) if one.kind == kind)
    axes = one.figure.axes[0]
    before = [list(axes.get_xticks()), list(axes.get_yticks())]
    for size in (1.0, 20.0):
        one.figure.set_size_inches(size, size)
        assert [list(axes.get_xticks()), list(axes.get_yticks())] == before


def test_labels_of_rows_are_never_cut_to_the_same_text():
    norms, tau = ("batch normalisation in heads", "layer normalisation in heads"), (0.1, 0.2)
    names = [f"L_pred + L̃_pred, {norm}, τ = {t}" for norm in norms for t in tau]
    rows = [variant("base", "baseline"), *(variant(name) for name in names)]
    scores = one_pair(*[[90.0, 91.0, 92.5]] * 5, variants=rows)
    [one] = figures(build({"top1": scores}, rows))
    labels = [text.get_text() for text in one.figure.axes[0].get_yticklabels()]
    assert len(set(labels)) == 4
    with style.style():
        boxes = [text.get_window_extent() for text in one.figure.axes[0].get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes)), "nor do they overlap"


def test_lines_of_a_label_stay_apart_whatever_hangs_below_them():
    rows = [variant("base", "baseline"), variant("L̃_pred only, L̃_pred with λ_pred = 8")]
    scores = one_pair([90.0, 91.0, 92.5], [91.0, 90.0, 92.0], variants=rows)
    figure = figures(build({"top1": scores}, rows))[0].figure
    [label] = figure.axes[0].get_yticklabels()
    with style.style():
        alone = [
            figure.text(0, 0, line, fontsize=label.get_fontsize()).get_window_extent().height
            for line in label.get_text().split("\n")
        ]
        assert len(alone) == 2
        assert label.get_window_extent().height > sum(alone)


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_says_what_it_was_measured_on(name):
    study = STUDIES[name]()
    for one in figures(study, curves_of(study), selection=Selection.BEST):
        shown = " ".join(words_of(one.figure).split())
        selected = [] if one.kind == "curves" else ["optimistic"]  # curves show every epoch
        for word in ("Data set digits", "profile quick", *selected, "seeds 0, 1, 2"):
            assert word in one.caption
            assert word in shown


@pytest.mark.parametrize("name", STUDIES)
def test_no_two_figures_of_a_kind_have_the_same_title(name):
    study = STUDIES[name]()
    points = [
        one._replace(metric=metric.name)
        for one in curves_of(study)
        for metric in study.plan.metrics
    ]
    titles = [(one.kind, one.title) for one in planned_figures(study, points)]
    assert len(set(titles)) == len(titles)


def test_curves_of_one_group_are_numbered_where_they_fill_several_figures():
    rows = [variant("τ = 1", "baseline"), *(variant(f"τ = 0.{i}", group="τ") for i in range(2, 9))]
    scores = one_pair(*[[90.0, 91.0, 92.5]] * len(rows), variants=rows)
    study = build({"top1": scores}, rows)
    titles = [one.title for one in planned_figures(study, curves_of(study)) if one.kind == "curves"]
    assert titles == [f"Training: τ, resnet20/resnet8 ({part} of 2)" for part in (1, 2)]


def test_kinds_that_fit_the_study():
    def kinds(study):
        return [(one.kind, one.name) for one in figures(study, curves_of(study))]

    assert kinds(two_pairs()) == [
        ("differences", "differences-top1"),
        ("curves", "curves-top1-resnet110_resnet32"),
        ("curves", "curves-top1-vgg13_MobileNetV2"),
    ]
    assert [kind for kind, _ in kinds(momentum_grid())] == [
        "differences", "grid", "sensitivity", "curves",
    ]  # fmt: skip
    tau = sweep([0.01, 0.05, 0.2, 1.0], "temperature", "τ", 0.1)
    assert ("sensitivity", "sensitivity-top1-tau") in kinds(tau)
    two_values = sweep([0.2], "temperature", "τ", 0.1)
    assert "sensitivity" not in [kind for kind, _ in kinds(two_values)]
    assert {name.split("-")[1] for _, name in kinds(costs())} == {"top1", "test_loss"}


def test_only_some_metrics():
    chosen = figures(costs(), metrics=[*metrics("test_loss")])
    assert [one.name for one in chosen] == ["differences-test_loss"]
    assert "better is to the left" in chosen[0].caption


def test_differences_show_seeds_intervals_and_why_there_is_no_result():
    [one] = drawn(two_pairs(), "differences")
    words = words_of(one.figure)
    assert "↓ −1.30, n = 4" in words
    assert "−0.20, n = 2 of 4\n1 of 4 diverged\nnot tested yet" in words
    assert "no result\n4 waiting" in words
    assert "with simultaneous 95 % interval" in one.caption
    assert "Open diamond: not tested." in one.caption
    axes = one.figure.axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [4, 4, 2]
    assert list(dots[0].get_xdata()) == pytest.approx([-1.4, -1.3, -1.3, -1.2])
    places = {tuple(round(float(c), 3) for c in place) for place in dots[0].get_xydata()}
    assert len(places) == 4, "equal differences stand above each other"
    [interval] = [line for line in axes.lines if line.get_linewidth() == 1.6][:1]
    assert list(interval.get_xdata()) == pytest.approx([-1.6265, -0.9735], abs=1e-4)


def test_two_seeds_have_no_interval():
    study = build({"top1": one_pair([94.3, 93.9], [94.4, 94.0], [94.2, 94.9])}, seeds=(0, 1))
    [one] = drawn(study, "differences")
    assert words_of(one.figure).count("fewer than 3 seeds") == 2
    assert "interval" not in one.caption


@pytest.mark.parametrize("selection", list(Selection))
def test_curves_show_every_epoch_whatever_was_selected(selection):
    study = two_pairs()
    for one in figures(study, curves_of(study), selection=selection):
        named = "last epoch" in one.caption or "best epoch" in one.caption
        assert named == (one.kind != "curves")
        assert "Data set digits; profile quick; 30 epochs" in one.caption


@pytest.mark.parametrize("comparisons", [13, 18, 19])
def test_headings_of_pairs_stand_above_their_rows_on_every_page(comparisons):
    rows = many_rows(comparisons + 1).plan.variants
    pairs = ("t0/s0", "t1/s1", "t2/s2")
    scores = {(row.label, pair): [1.0, 2.0, 3.0] for row in rows for pair in pairs}
    results = build({"top1": scores}, rows, pairs=pairs)
    pages = differences.pages(analyse(results, metrics("top1")[0], Selection.LAST))
    for page in pages:
        assert len(page) <= 20
        assert page[-1].cell is not None
        heading = ""
        for row in page:
            heading = row.heading or heading
            assert row.cell is None or row.cell.pair == heading
    shown = [row.cell.pair for page in pages for row in page if row.cell]
    assert shown == [pair for pair in pairs for _ in range(comparisons)]


def test_many_comparisons_are_cut_into_pages():
    study = many_rows()
    analysis = analyse(study, metrics("top1")[0], Selection.LAST)
    assert [len(rows) for rows in differences.pages(analysis)] == [20] * 9 + [19]
    first, second = planned_figures(study)[:2]
    assert (first.name, second.name) == ("differences-top1-1", "differences-top1-2")


def test_grid_shades_differences_to_the_baseline_and_hatches_what_is_missing():
    study = momentum_grid()
    runs = [
        run._replace(status=JobStatus.FAILED) if run.variant == "m_c = 0, m_r = 0" else run
        for run in study.runs
    ]
    study = replace(study, runs=tuple(runs))
    [one] = drawn(study, "grid")
    assert "4 failed" in words_of(one.figure)
    assert "Hatched: no result." in one.caption
    patches = one.figure.axes[0].patches
    assert sum(patch.get_hatch() is not None for patch in patches) == 1
    colours = [p.get_facecolor()[:3] for p in patches if p.get_linewidth() == 0]
    means = [71.0, 71.26, 72.12, 70.46, 71.66]
    white = colours[means.index(max(means))]
    assert white == pytest.approx(heatmap._NEUTRAL), "the baseline"
    darkness = [-_luminance(colour) for colour in colours]
    assert sorted(means, reverse=True) == [m for _, m in sorted(zip(darkness, means, strict=True))]
    lowest = colours[means.index(min(means))]
    assert lowest == pytest.approx(heatmap._WORSE[1], abs=0.03), "full colour"


@pytest.mark.parametrize(("metric", "unit"), [("top1", "points"), ("test_loss", "difference")])
def test_a_bar_says_what_the_colours_of_a_grid_mean(metric, unit):
    study = momentum_grid()
    plan = replace(study.plan, metrics=metrics(metric))
    runs = [
        run._replace(last={metric: run.last["top1"]}, best={metric: run.best["top1"]})
        for run in study.runs
    ]
    [one] = drawn(replace(study, plan=plan, runs=tuple(runs)), "grid")
    cells, bar = one.figure.axes
    assert bar.get_xlabel() == f"{unit} from the baseline"
    low, high = bar.get_xlim()
    assert (low, high) == pytest.approx((-1.9625, 1.9625)), "the largest difference, both ways"
    assert {"0", "−1", "+1"} <= {text.get_text() for text in bar.get_xticklabels()}
    noise = sorted(line.get_xdata()[0] for line in bar.lines)
    assert noise == pytest.approx([-0.08, 0.08], abs=0.01), "the widest interval"
    # The colour of a cell is that of the bar at its difference.
    [mesh] = [one for one in bar.collections if one.get_array() is not None and one.cmap.N > 2]
    worst = next(p for p in cells.patches if p.get_linewidth() == 0).get_facecolor()[:3]
    assert mesh.to_rgba(-1.9625)[:3] == pytest.approx(worst, abs=1e-6)
    assert _luminance(worst) < 0.2, "legible: the largest difference is dark"


def test_noise_looks_like_noise_in_a_grid():
    study = momentum_grid()
    rng = random.Random(0)
    runs = []
    for run in study.runs:
        value = {"top1": 71 + rng.gauss(0, 1)}
        runs.append(run._replace(last=value, best=value))
    [one] = drawn(replace(study, runs=tuple(runs)), "grid")
    patches = [p for p in one.figure.axes[0].patches if p.get_linewidth() == 0]
    for patch in patches:
        assert min(patch.get_facecolor()[:3]) > 0.6, "pale"
    assert "the widest interval of a cell is ±" in one.caption


def test_words_of_a_grid_stay_in_their_cells_and_can_be_read():
    study = momentum_grid()
    runs = []
    for run in study.runs:
        why = [JobStatus.FAILED, JobStatus.DIVERGED, JobStatus.WAITING, JobStatus.INTERRUPTED][
            run.seed
        ]
        bad = run.variant == "m_c = 0, m_r = 0" and run.seed > 0
        loss = {"test_loss": 20 * run.last["top1"]}
        runs.append(run._replace(last=loss, best=loss, status=why if bad else run.status))
    plan = replace(study.plan, metrics=metrics("test_loss"))
    [one] = drawn(replace(study, plan=plan, runs=tuple(runs)), "grid")
    renderer = one.figure._get_renderer()
    cells = [p for p in one.figure.axes[0].patches if p.get_linewidth() == 0]
    assert len(cells) == 6
    for text in one.figure.axes[0].texts:
        box = text.get_window_extent(renderer)
        [cell] = [c for c in cells if c.get_window_extent(renderer).contains(*_middle(box))]
        around = cell.get_window_extent(renderer)
        assert around.x0 < box.x0
        assert box.x1 < around.x1
        assert around.y0 < box.y0
        assert box.y1 < around.y1
        light, dark = sorted(map(_luminance, (text.get_color(), cell.get_facecolor())))[::-1]
        assert (light + 0.05) / (dark + 0.05) > 4.5, "what WCAG 2 asks of text"


def _middle(box):
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def _luminance(colour):
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in matplotlib.colors.to_rgb(colour)
    ]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("name", ["LINES", "BETTER"])
def test_colours_differ_in_lightness(name):
    colours = {
        "LINES": [colour for colour, _, _ in style.LINES],
        "BETTER": [style.BETTER, style.WORSE, style.MUTED],
    }[name]
    lightness = sorted(116 * _luminance(colour) ** (1 / 3) - 16 for colour in colours)  # CIE L*
    assert min(b - a for a, b in pairwise(lightness)) > 5


@pytest.mark.parametrize(
    ("values", "base", "scale", "note"),
    [
        ([0.01, 0.05, 1.0], 0.1, "log", ""),
        ([1.0, 2.0, 8.0], 4.0, "log", ""),
        ([0.05, 0.1, 0.2, 0.5], 0.07, "log", ""),
        ([0.1, 0.3, 0.5, 0.7, 0.9], 1.0, "linear", ""),
        ([0.0, 0.9, 0.99, 1.0], 0.999, "linear", "(values not to scale)"),
    ],
)
def test_axis_of_a_sweep(values, base, scale, note):
    [one] = drawn(sweep(values, "temperature", "τ", base), "sensitivity")
    axes = one.figure.axes[0]
    assert axes.get_xscale() == scale
    assert axes.get_xlabel().endswith(note)
    shown = {text.get_text() for text in axes.get_xticklabels()}
    assert shown == {f"{value:g}" for value in (*values, base)}
    assert f"ringed: the baseline, {base:g};" in one.caption


def test_the_baseline_keeps_its_tick_among_many_values():
    [one] = drawn(sweep([i / 20 for i in range(12)], "momentum", "m", 0.52), "sensitivity")
    shown = [text.get_text() for text in one.figure.axes[0].get_xticklabels()]
    assert "0.52" in shown
    assert "0.5" not in shown, "it would stand on the baseline's"


def test_one_seed_is_called_one_seed():
    study = sweep([0.05, 0.2], "temperature", "τ", 0.1)
    alone = replace(study, runs=tuple(run for run in study.runs if run.seed == 0))
    alone = replace(alone, plan=replace(alone.plan, seeds=(0,)))
    [one] = drawn(alone, "sensitivity")
    assert "one seed, which says nothing about chance" in one.caption
    assert "band" not in one.caption


def test_a_sweep_has_gaps_where_a_value_has_no_result():
    study = sweep([256, 512, 1024], "dictionary__size", "N", 2048, failed=512)
    [one] = drawn(study, "sensitivity")
    line = next(line for line in one.figure.axes[0].lines if len(line.get_xdata()) == 4)
    assert [math.isnan(y) for y in line.get_ydata()] == [False, True, False, False]
    assert "N = 512 (4 failed)" in one.caption


def test_a_seed_that_got_away_does_not_flatten_the_curves():
    columns = [0.2, 0.21, 0.19], [0.22, "diverged", 0.2], [0.18, 0.17, 0.19]
    study = build({"test_loss": one_pair(*columns)})
    points = [
        Point(run.variant, run.pair, run.seed, epoch, "test_loss",
              10.0**epoch if run.status == "diverged" else 0.2 + 2 / epoch)
        for run in study.runs
        for epoch in range(1, 8 if run.status == "diverged" else 31)
    ]  # fmt: skip
    one = next(one for one in figures(study, points) if one.kind == "curves")
    _, high = one.figure.axes[0].get_ylim()
    assert high < 1
    [cross] = [line for line in one.figure.axes[0].lines if line.get_marker() == "x"]
    assert list(cross.get_ydata()) == [high], "at the edge"
    assert "Not drawn: what lies beyond the axis" in one.caption


def test_curves_average_finished_seeds_only():
    study = two_pairs()
    found = drawn(study, "curves")[1]
    words = words_of(found.figure)
    assert "only ($n$ = 2 of 4)" in words
    assert "only ($n$ = 0 of 4)" in words
    assert "failed or diverged there" in found.caption
    crosses = [line for line in found.figure.axes[0].lines if line.get_marker() == "x"]
    assert [line.get_xdata()[0] for line in crosses] == [15, 15]


def test_curves_are_also_drawn_as_differences_to_the_baseline():
    study = build({"top1": one_pair([70.0, 71, 72], [71.0, "failed", 73], [69.0, 70, 71])})
    points = [
        Point(run.variant, run.pair, run.seed, epoch, "top1",
              10.0 * epoch + run.seed + {BOTH: 0, PRED: 1, SYM: -2}[run.variant])
        for run in study.runs if run.status == "done" for epoch in range(1, 6)
    ]  # fmt: skip
    [one] = [one for one in figures(study, points) if one.kind == "curves"]
    below = one.figure.axes[1]
    lines = [list(line.get_ydata()) for line in below.lines if len(line.get_xdata()) == 5]
    assert lines == [[1.0] * 5, [-2.0] * 5]
    assert below.get_xlim() == one.figure.axes[0].get_xlim()
    assert "minus the baseline, seed by seed" in one.caption


def test_characters_of_other_scripts_and_superscripts_keep_their_glyphs():
    assert style.label("K = 2¹⁰, L_pred") == "K = 2¹⁰, L_pred"
    assert style.label("宽度 $ L_pred") == r"宽度 \$ L_pred", "mathematics has no such letters"
    rows = (variant("Ё ✓ 2¹⁰", "baseline"), variant("\U00013000"), variant("½ τ"))
    columns = [70.0, 71, 72], [71.0, 73, 72], [69.0, 70, 71.5]
    study = build({"top1": one_pair(*columns, variants=rows)}, rows)
    [one] = drawn(study, "differences")
    assert "no font here has: U+13000." in one.caption


def test_captions_stand_beside_the_figures(tmp_path):
    [one, *_] = planned_figures(two_pairs(), footer=False)
    drawn = one.draw()
    paths = write_figure(drawn, tmp_path, "x", captions=True)
    assert [path.suffix for path in paths] == [".pdf", ".png", ".tex", ".txt"]
    assert drawn.caption in paths[3].read_text()
    assert r"$L_{\mathrm{pred}}$" in paths[2].read_text()
    assert drawn.caption[:20] not in words_of(drawn.figure)


def test_lines_differ_without_colour():
    assert len({str(style) for _, style, _ in style.LINES}) == len(style.LINES)
    assert len({marker for *_, marker in style.LINES}) == len(style.LINES)


def test_labels_are_the_papers():
    assert style.label("L̃_pred only") == r"$\tilde{L}_{\mathrm{pred}}$ only"
    assert style.label("λ_ctr = 0") == r"$λ_{\mathrm{ctr}}$ = 0"
    assert style.label("τ = 0.2") == "$τ$ = 0.2"
    assert style.label("N = 512") == "$N$ = 512"
    assert style.label("wrn_40_2, 5 $ and \\") == r"wrn_40_2, 5 \$ and ∖"


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*"$\\_^{}#%&~<>ab ", "L_pred", "τ", "N = 1", "é", "\x00"]),
                max_size=12).map("".join) | st.text(max_size=20))  # fmt: skip
def test_any_label_can_be_drawn(text):
    from matplotlib.cbook import is_math_text
    from matplotlib.mathtext import MathTextParser

    shown = style.label(text)
    if is_math_text(shown):
        with style.style():
            MathTextParser("path").parse(shown)
    else:
        assert shown.replace(r"\$", "").count("$") == 0


@given(st.text())
def test_file_names_are_safe(text):
    name = safe_name(text)
    assert name
    assert len(name) <= 60
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-")
    assert name[0].isalnum()
    assert ".." not in name


def test_names_say_what_they_can():
    assert safe_name("λ_pred = 2·4, τ") == "lambda_pred_2_4_tau"
    assert safe_name("L̃_pred only") == "L~_pred_only"
    assert safe_name("../../etc/passwd") == "etc_passwd"
    assert safe_name("中文") == "unnamed"


def digests(study):
    found = [planned_figures(study, curves_of(study))[1].draw()]  # a grid has a bit of all
    return [
        hashlib.sha256(style.content(one.figure, ending)).hexdigest()
        for one in found
        for ending in ("pdf", "png", "svg")
    ]


def test_same_data_same_bytes(tmp_path):
    here = digests(momentum_grid())
    script = "import tests.report.test_figures as t; print(*t.digests(t.momentum_grid()))"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "none", "text.usetex": True}):
        assert digests(momentum_grid()) == here  # a user's settings have no say
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: pink\n")
    there = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert there.stdout.split() == here


def test_files(tmp_path):
    [one] = figures(nasty())
    paths = write_figure(one, tmp_path / "new" / "folder", "../../evil <name>")
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "new/folder/evil_name-differences-top1.pdf",
        "new/folder/evil_name-differences-top1.png",
    ]
    assert paths[0].read_bytes().startswith(b"%PDF")
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_nothing_measured_yet():
    empty = build({"top1": {}})
    [one] = figures(empty, curves_of(empty))
    assert words_of(one.figure).count("no result") == 2


def test_a_seed_that_only_runs_is_a_thin_line():
    rng = random.Random(0)
    study = build(
        {"top1": one_pair([94.3, 93.9, "running"], [94.4, 94.1, 94.0], [94.2, 94.0, 94.9])}
    )
    points = [
        Point(name, "resnet20/resnet8", seed, epoch, "top1", 90 + epoch / 10 + rng.random())
        for name in (BOTH, PRED, SYM)
        for seed in range(3)
        for epoch in range(1, 4 if (name, seed) == (BOTH, 2) else 11)
    ]
    one = next(one for one in figures(study, points) if one.kind == "curves")
    thin = [line for line in one.figure.axes[0].lines if line.get_linewidth() < 1]
    assert [len(line.get_xdata()) for line in thin] == [3]
    assert "Thin: a seed that has not finished" in one.caption


def test_asking_for_figures_is_what_loads_matplotlib():
    script = (
        "import sys, ablate.report.figures.draw, ablate.cli.app;"
        "sys.exit(any(m in sys.modules for m in ('matplotlib', 'pandas', 'torch')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_labels_keep_equations_and_hyphens_together():
    assert style.wrapped("L only, x = 8", 10) == "L only,\n$x$ = 8"
    assert style.wrapped("accuracy, re-estimated", 13) == "accuracy,\nre-estimated"
