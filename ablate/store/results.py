"""What the index knows of one study, in the shape that reports start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.matrix.plan import StudyPlan

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StudyResults:
    """A study's plan and what its jobs have measured so far.

    `runs` has one row per planned student job, in the plan's order:
      variant (label), pair, seed, job (full id), status ("waiting", "running", "interrupted",
      "done", "failed", "diverged", "blocked"), attempts (int), resumed_from (list of global steps),
      error (str), best_epoch (int), device (str), finished (unix time or NaN),
      and for each metric `m` of the plan: columns `m` (last epoch) and `best.m` (epoch of best test
      top-1), float, NaN where there is no result.
    `teachers` has one row per upstream teacher job:
      network, pair ("resnet110"), status, job, top1 (percent), weights_digest, checkpoint (path or
      "" where it was trained here).
    `facts` maps a fact ("device", "torch", "threads", "git", ...) to its distinct values, sorted.
    """

    plan: StudyPlan
    runs: pd.DataFrame
    teachers: pd.DataFrame
    facts: Mapping[str, tuple[str, ...]]
