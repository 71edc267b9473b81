"""`ablate sync` and `ablate cancel`: studies whose jobs run on a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ablate.cli.common import (
    DebugOption,
    JsonOption,
    ProfileOption,
    ResultsOption,
    SeedsOption,
    SetOption,
    guarded,
    print_json,
    results_folder,
    settings_for,
    tell,
)
from ablate.cli.run import ExecutorKind, StudiesArgument, run
from ablate.cli.study_options import StudyOptions


@guarded
def sync(
    studies: StudiesArgument,
    results: ResultsOption = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    seeds: SeedsOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait if another run holds the results folder.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take in what happened on the cluster, submit what is left, and return.

    Works from any machine that sees the results folder and has Slurm's commands, as often as you
    like.

    Example: ablate sync studies/lpred_symmetry.toml
    """
    run(
        studies,
        results=results,
        profile=profile,
        set_=set_,
        seeds=seeds,
        wait=wait,
        yes=True,
        executor=ExecutorKind.SLURM,
        detach=True,
        as_json=as_json,
        debug=debug,
    )


@guarded
def cancel(
    studies: StudiesArgument,
    results: ResultsOption = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    seeds: SeedsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Cancel a study's jobs on the cluster; the next run goes on from their checkpoints.

    Example: ablate cancel studies/lpred_symmetry.toml
    """
    from ablate.execute.cancel import cancel_attempts
    from ablate.execute.launch.slurm import SlurmLauncher
    from ablate.study.parse import read_study

    settings = settings_for(studies[0])
    folder = results_folder(results, settings)
    launcher = SlurmLauncher(settings.executor.slurm, folder)
    options = StudyOptions.parse(settings, profile=profile, set_=set_, seeds=seeds)
    cancelled: list[dict[str, str | int]] = []
    for study in studies:
        matrix = options.expand(read_study(study))
        count = cancel_attempts(matrix.configs, folder, launcher)
        cancelled.append({"study": matrix.plan.name, "key": matrix.plan.key, "jobs": count})
        if not as_json:
            jobs = f"{count} job{'s' * (count != 1)} cancelled" if count else "none to cancel"
            tell(f"{matrix.plan.name}: {jobs}")
    if as_json:
        print_json(cancelled)
