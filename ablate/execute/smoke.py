"""Try every row of a study for two steps, so that a typo fails in seconds and not after a night."""

from __future__ import annotations

from ablate.errors import InputError, Problem
from ablate.execute.display import Display
from ablate.execute.measure import Reduction, reduced
from ablate.execute.run_study import Options, run_studies
from ablate.execute.scratch import scratch_folder
from ablate.execute.stop import StopRequests
from ablate.execute.summary import Summary
from ablate.matrix.plan import Matrix
from ablate.study.settings import Settings

TWO_STEPS = Reduction(epochs=1, steps=2)

_NO_EPOCHS = 'without a part "epochs", a job and all that waits for it cannot be cut short'


def rows_not_tried(matrix: Matrix) -> list[str]:
    """Labels of the rows that cannot be cut short, nor can what they wait for.

    Raises InputError where that is so for every row: nothing would be tried.
    """
    small, _ = reduced(matrix, TWO_STEPS)
    tried = {job.variant for job in small.plan.jobs}
    rows = dict.fromkeys(job.variant for job in matrix.plan.jobs if job.variant is not None)
    untried = [row for row in rows if row not in tried]
    if len(untried) == len(rows):
        message = f"no row of {matrix.plan.name} can be tried: {_NO_EPOCHS}"
        first = matrix.plan.seeds[0]
        seeds = f"{first}," if first else "0"  # 3 alone could be three seeds
        right = f"`ablate run {matrix.plan.name} --seeds {seeds}` runs one seed whole"
        raise InputError(Problem("--smoke", "", message, right))
    return untried


def smoke(
    matrix: Matrix, settings: Settings, display: Display, *, stop: StopRequests | None = None
) -> Summary:
    """Run two steps and the evaluation of one seed of every row; nothing is kept.

    Teachers are cut short like the rest, so what students learn from is as good as untrained.
    Raises as `run_study` does, and as `rows_not_tried`.
    """
    untried = rows_not_tried(matrix)
    if untried:
        display.say(f"not tried: {', '.join(untried)}; {_NO_EPOCHS}")
    small, _ = reduced(matrix, TWO_STEPS)
    with scratch_folder() as scratch:
        results = scratch.path / "results"
        options = Options(kept=False)
        return run_studies([small], results, settings, display, stop=stop, options=options)
