"""What happens when all jobs of a study's seeds have ended: looks go on record, seeds are added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ablate.errors import StoreError
from ablate.execute.decide import decide_seeds
from ablate.matrix.plan import Matrix
from ablate.store.index import Index
from ablate.store.looks import record_looks
from ablate.store.query import study_results
from ablate.store.rundir import RunDirectory

#: The study of a matrix, expanded with these seeds.
WithSeeds = Callable[[Matrix, Sequence[int]], Matrix]


def set_of_seeds_ended(
    matrix: Matrix, *, index: Index, say: Callable[[str], None], with_seeds: WithSeeds | None
) -> Matrix | None:
    """Return the study with more seeds if its rule asks for them; otherwise record its looks.

    A results folder that cannot be written or read now costs the look or the seeds, not the run:
    `say` tells why.
    """
    plan, rule = matrix.plan, matrix.plan.seed_rule
    try:
        runs = (RunDirectory.of(index.results, job) for job in matrix.configs)
        index.ingest_many(run for run in runs if run.exists())
        results = study_results(index, plan.key)
        # Without a rule the seeds are those of this run, also where more are on record.
        seeds = decide_seeds(results) if rule and with_seeds else plan.seeds
        if rule is None or with_seeds is None or len(seeds) == len(plan.seeds):
            record_looks(index.results, results)
            return None
    except (StoreError, OSError) as error:
        say(f"{plan.name}: this set of seeds is not on record: {error}")
        return None
    say(
        f"{plan.name}: {len(plan.seeds)} seeds leave the widest interval above "
        f"±{rule.half_width:g}; going on to {len(seeds)} of at most {rule.most}"
    )
    grown = with_seeds(matrix, seeds)
    return replace(grown, plan=replace(grown.plan, seed_rule=rule))
