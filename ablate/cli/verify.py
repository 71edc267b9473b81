"""`ablate verify`: prove on this machine that an interrupted job ends as an uninterrupted one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import (
    DebugOption,
    JsonOption,
    ProfileOption,
    ResultsOption,
    SeedsOption,
    SetOption,
    StudyArgument,
    guarded,
    print_json,
    results_folder,
    settings_for,
    tell,
)
from ablate.cli.study_options import StudyOptions
from ablate.errors import InputError, Interrupted, JobError, Problem
from ablate.methods.lifecycle import JobStatus

if TYPE_CHECKING:
    from ablate.execute.resume_proof import Proof
    from ablate.execute.summary import Summary
    from ablate.matrix.plan import Matrix
    from ablate.study.settings import Settings


@guarded
def verify(
    study: StudyArgument,
    job: Annotated[str, typer.Option("--job", help="Id of the job; default: the first.")] = "",
    kills: Annotated[int, typer.Option("--kills", min=1, help="How often to kill it.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Random seed for the kill times.")] = 0,
    results: ResultsOption = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    seeds: SeedsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run one job twice in a scratch folder, whole and killed at random, and compare digests.

    Example: ablate verify studies/lpred_symmetry.toml --kills 3
    """
    from ablate.cli.live import Live
    from ablate.cli.run import listening
    from ablate.execute.agenda import job_names
    from ablate.execute.resume_proof import prove
    from ablate.execute.run_study import run_study
    from ablate.execute.stop import StopRequests
    from ablate.study.parse import read_study

    settings = settings_for(study)
    options = StudyOptions.parse(settings, profile=profile, set_=set_, seeds=seeds)
    matrix = options.expand(read_study(study))
    chosen, folder = _chosen_job(matrix, job, study), results_folder(results, settings)
    patient, stop = _patient(settings, kills), StopRequests()
    with _scratch() as scratch, listening(stop):
        proof = prove(
            matrix,
            chosen,
            folder,
            scratch,
            kills,
            seed,
            lambda part, where: _whole(run_study(part, where, patient, Live(where), stop=stop)),
        )
        _show_proof(proof, job_names(matrix)[proof.job], as_json=as_json)
        if proof.broke and not proof.agrees:
            typer.echo("DIFFERENT: resuming changed the result", err=True)
            raise typer.Exit(1)
    _conclude(proof, err=as_json)


def _show_proof(proof: Proof, job: str, *, as_json: bool) -> None:
    """Print what both runs came to, for people or for programs."""
    if as_json:
        print_json({**asdict(proof), "interrupted": proof.broke, "equal": proof.agrees})
    else:
        tell(f"job {proof.job[:10]}: {job}")
        _show(proof)


def _conclude(proof: Proof, *, err: bool) -> None:
    """Say what the proof shows; exit code 1 if it shows nothing."""
    if not proof.broke:
        typer.echo("the job was over before it could be killed, which proves nothing", err=True)
        raise typer.Exit(1)
    if proof.has_weights:
        tell("equal to the bit: weights and all metrics", err=err)
    else:
        tell("metrics equal to the bit; this method reports no weights", err=err)


def _patient(settings: Settings, kills: int) -> Settings:
    """Settings under which a job survives so many kills, without pauses."""
    often = settings.execution.model_copy(update={"max_retries": kills, "retry_delay_s": 0.0})
    return settings.model_copy(update={"execution": often})


def _chosen_job(matrix: Matrix, start: str, study: Path) -> str:
    """Id of the one job of a row that starts so; the first job if `start` is empty."""
    # A job may stand in several rows of the table, as a student alone does with several teachers.
    own = dict.fromkeys(planned.id for planned in matrix.plan.jobs if planned.variant is not None)
    chosen = [name for name in own if name.startswith(start)]
    if not chosen or (start and len(chosen) > 1):
        wrong = f'no job "{start}"' if not chosen else f'{len(chosen)} jobs start with "{start}"'
        raise InputError(Problem("--job", "", f"{wrong} in {study}", "see ablate status"))
    return chosen[0]


def _show(proof: Proof) -> None:
    for name, trial in (("whole", proof.whole), ("broken", proof.broken)):
        resumed = ", ".join(map(str, trial.resumed_from)) or "never"
        typer.echo(
            f"  {name:6}  digest {trial.digest[:16] or '-'}  attempts {trial.attempts}  "
            f"resumed from step: {resumed}"
        )


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for both runs, which stays for a look if anything in it went wrong."""
    from ablate.execute.scratch import scratch_folder

    with scratch_folder() as scratch:
        try:
            yield scratch.path
        except (Interrupted, KeyboardInterrupt):
            raise
        except BaseException:
            tell(f"the runs are kept for a look: {scratch.keep()}", err=True)
            raise


def _whole(summary: Summary) -> None:
    """A run that was stopped, or whose job failed, has nothing to compare."""
    if summary.stopped:
        raise Interrupted("stopped before anything was proved")
    if summary.count(JobStatus.DONE) < len(summary.statuses):
        raise JobError("the job did not get to its end; its error stands above")
