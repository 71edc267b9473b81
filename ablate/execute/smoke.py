"""Try every row of a study for two steps, so that a typo fails in seconds and not after a night."""

from __future__ import annotations

from ablate.execute.display import Display
from ablate.execute.measure import Reduction, reduced
from ablate.execute.run_study import Options, run_studies
from ablate.execute.scratch import scratch_folder
from ablate.execute.stop import StopRequests
from ablate.execute.summary import Summary
from ablate.matrix.plan import Matrix
from ablate.study.settings import Settings

TWO_STEPS = Reduction(epochs=1, steps=2)


def smoke(
    matrix: Matrix, settings: Settings, display: Display, *, stop: StopRequests | None = None
) -> Summary:
    """Run two steps and the evaluation of one seed of every row; nothing is kept.

    Teachers are cut short like the rest, so what students learn from is as good as untrained.
    Raises as `run_study` does.
    """
    small, _ = reduced(matrix, TWO_STEPS)
    with scratch_folder() as scratch:
        results = scratch.path / "results"
        options = Options(kept=False)
        return run_studies([small], results, settings, display, stop=stop, options=options)
