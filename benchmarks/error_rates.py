"""How often the tables' statistics err, simulated; the analysis is the one that reports use.

    python -m benchmarks.error_rates             today's analysis beside row-wise Holm
    python -m benchmarks.error_rates widths      half-widths on the covariance of a real study
    python -m benchmarks.error_rates stopping    coverage and seeds of the stopping rule
    python -m benchmarks.error_rates levels      coverage by level: the choice of stopping.LEVELS

Each cell is a number of studies (20,000 by default, `--studies`), drawn from a fixed seed, with
true differences of zero. "family" is the chance that any row of a study is claimed to differ,
"cover" that a row's interval contains the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from ablate.statistics.family import LEVEL, analyse_family
from ablate.statistics.stopping import level_for, look_sizes
from ablate.statistics.student_t import Array
from ablate.study.seeds import SeedRule

SEEDS = (3, 5, 10)
ROWS = (1, 2, 5, 12)

#: Standard deviations of the four differences of a study with ten seeds, 240 epochs each.
REAL_DIFFERENCES = (0.75, 0.89, 1.28, 1.22)

Draw = Callable[[np.random.Generator, int, int, int], Array]  #: studies, rows, seeds -> values


def normal(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    return rng.normal(size=(studies, rows + 1, seeds))


def correlated(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    shared = rng.normal(size=(studies, 1, seeds))
    return np.sqrt(0.8) * shared + np.sqrt(0.2) * normal(rng, studies, rows, seeds)


def binomial(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    return rng.binomial(360, 0.93, size=(studies, rows + 1, seeds)) / 3.6


def noisy_baseline(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    return normal(rng, studies, rows, seeds) * np.r_[3.0, np.ones(rows)][:, None]


def spreads_1_to_4(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    return normal(rng, studies, rows, seeds) * np.r_[1.0, np.linspace(1, 4, rows)][:, None]


def one_row_at_10(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    return normal(rng, studies, rows, seeds) * np.r_[np.ones(rows), 10.0][:, None]


def skewed(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    return rng.lognormal(sigma=0.75, size=(studies, rows + 1, seeds))


def collapses(rng: np.random.Generator, studies: int, rows: int, seeds: int) -> Array:
    lost = rng.random((studies, rows + 1, seeds)) < 0.1
    return normal(rng, studies, rows, seeds) - 20 * lost


SCENES: dict[str, Draw] = {
    "normal": normal,
    "seeds correlate .8": correlated,
    "binomial": binomial,
    "baseline x3": noisy_baseline,
    "spreads 1:4": spreads_1_to_4,
    "one row at 1:10": one_row_at_10,
    "lognormal": skewed,
    "10 % collapses": collapses,
}


def differences(draw: Draw, *, studies: int, rows: int, seeds: int) -> Array:
    """Paired differences of shape (studies, rows, seeds)."""
    rng = np.random.default_rng([17, rows, seeds])
    values = draw(rng, studies, rows, seeds)
    return values[:, 1:] - values[:, :1]


def error_rates(d: Array) -> tuple[float, float]:
    """(family-wise error, coverage) of the analysis, where the true differences are zero."""
    family = analyse_family(d, smallest_sd=1e-9)
    wrong = (family.low > 0) | (family.high < 0)
    return float(wrong.any(axis=1).mean()), float(1 - wrong.mean())


def row_wise_holm(d: Array) -> tuple[float, float]:
    """The same of a paired t test per row, adjusted by Holm, with plain 95 % intervals."""
    n, m = d.shape[2], d.shape[1]
    sd = d.std(axis=2, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(d.mean(axis=2)) * np.sqrt(n) / sd
    p = np.where(sd > 1e-9, 2 * stats.t.sf(t, n - 1), 1.0)
    # Under the global null Holm rejects something exactly where Bonferroni does.
    return float((p * m < LEVEL).any(axis=1).mean()), float(1 - (p < LEVEL).mean())


def _table(studies: int) -> Iterator[str]:
    yield f"{studies:,} studies a cell; today's analysis | row-wise Holm with plain intervals"
    yield f"{'':20} {'n':>3} {'rows':>4}   family  cover |  family  cover"
    for name, draw in SCENES.items():
        for n in SEEDS:
            for m in ROWS:
                d = differences(draw, studies=studies, rows=m, seeds=n)
                (new, covered), (old, plain) = error_rates(d), row_wise_holm(d)
                yield (
                    f"{name:20} {n:3} {m:4}   {new:.4f}  {covered:.4f} |  {old:.4f}  {plain:.4f}"
                )


def mean_half_widths(seeds: int, studies: int = 20_000) -> tuple[float, float]:
    """Mean half-width over rows and studies: simultaneous, and of row-wise Holm's first step."""
    sds = np.array(REAL_DIFFERENCES)
    covariance = np.outer(sds, sds) * (0.5 + 0.5 * np.eye(len(sds)))
    rng = np.random.default_rng([18, seeds])
    d = rng.multivariate_normal(np.zeros(len(sds)), covariance, size=(studies, seeds))
    d = np.swapaxes(d, 1, 2)
    family = analyse_family(d)
    t = stats.t.isf(LEVEL / 2 / len(sds), seeds - 1)
    old = t * d.std(axis=2, ddof=1) / np.sqrt(seeds)
    return float((family.high - family.low).mean() / 2), float(old.mean())


def _widths(studies: int) -> Iterator[str]:
    yield "Mean half-width on the covariance of a real study: today, Holm's first step, ratio"
    for n in SEEDS:
        new, old = mean_half_widths(n, studies)
        yield f"n = {n:2}: {new:.2f}  {old:.2f}  {new / old:.2f}"


def stopped(*, rows: int, ratio: float, level: float, studies: int = 20_000) -> tuple[float, float]:
    """(simultaneous coverage, mean seeds) of a rule that stops on the widest row's half-width.

    `ratio` is the standard deviation of a difference over the wanted half-width.
    """
    rule = SeedRule(first=5, most=20, half_width=1.0)
    d = differences(normal, studies=studies, rows=rows, seeds=rule.most) * ratio / np.sqrt(2)
    still = np.arange(studies)
    covered, seeds = np.zeros(studies, dtype=bool), np.zeros(studies)
    for n in look_sizes(rule):
        family = analyse_family(d[still, :, :n], level=level)
        half = ((family.high - family.low) / 2).max(axis=1)
        ends = (half <= rule.half_width) | (n == rule.most)
        covered[still] = ((family.low <= 0) & (family.high >= 0)).all(axis=1)
        seeds[still] = n
        still = still[~ends]
    return float(covered.mean()), float(seeds.mean())


RATIOS = (0.75, 1.0, 1.5, 2.0)


def _stopping(studies: int) -> Iterator[str]:
    yield "Looks at 5, 8, 12, 20 seeds; coverage and mean seeds by spread / half-width"
    for m in ROWS:
        for ratio in RATIOS:
            level = level_for(m)
            covered, n = stopped(rows=m, ratio=ratio, level=level, studies=studies)
            yield f"{m:3} rows  level {level:.2f}  ratio {ratio:4.2f}  {covered:.4f}  {n:4.1f}"


def _levels(studies: int) -> Iterator[str]:
    yield "Smallest coverage over spread / half-width of .5 to 2, by rows and level"
    for m in (1, 2, 3, 5, 12):
        for level in (0.03, 0.04, 0.05):
            least = min(
                stopped(rows=m, ratio=ratio, level=level, studies=studies)[0]
                for ratio in (0.5, 1.25, *RATIOS)
            )
            yield f"{m:3} rows  level {level:.2f}  {least:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"errors": _table, "widths": _widths, "stopping": _stopping, "levels": _levels}
    parser.add_argument("part", nargs="?", choices=parts, default="errors")
    parser.add_argument("--studies", type=int, default=20_000)
    chosen = parser.parse_args()
    for line in parts[chosen.part](chosen.studies):
        print(line, flush=True)


if __name__ == "__main__":
    main()
