"""`ablate run`: carry out studies, or go on where they stopped."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli import complete
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
    study_file,
)
from ablate.cli.planning import DryRunOption, YesOption, announce, print_previews
from ablate.cli.study_options import StudyOptions
from ablate.errors import Remedy

if TYPE_CHECKING:
    from ablate.execute.run_study import Options
    from ablate.execute.stop import StopRequests
    from ablate.execute.summary import Summary
    from ablate.matrix.plan import Matrix
    from ablate.study.settings import Settings


def study_files(studies: list[Path]) -> list[Path]:
    """The files of studies that are named by their names alone."""
    return [study_file(study) for study in studies]


StudiesArgument = Annotated[
    list[Path],
    typer.Argument(
        help="Study files or names; several share devices.",
        show_default=False,
        callback=study_files,
        autocompletion=complete.study_files,
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait if another run holds the results folder.")
]


SmokeOption = Annotated[
    bool, typer.Option("--smoke", help="Try two steps of every row, keep nothing.")
]


class ExecutorKind(StrEnum):
    """Where jobs run."""

    LOCAL = "local"
    SLURM = "slurm"


ExecutorOption = Annotated[
    ExecutorKind | None,
    typer.Option("--executor", help="Where jobs run; default from ablate.toml."),
]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Submit all jobs to the cluster and return.")
]


@guarded
def run(
    studies: StudiesArgument,
    results: ResultsOption = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    seeds: SeedsOption = None,
    wait: WaitOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    smoke: SmokeOption = False,
    executor: ExecutorOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run studies; the same command goes on where an interrupted one stopped.

    Example: ablate run studies/lpred_symmetry.toml --profile paper --seeds 0-4
    """
    from ablate.execute.run_study import Options
    from ablate.study.parse import read_study

    settings = _with_executor(settings_for(studies[0]), executor)
    chosen = StudyOptions.parse(settings, profile=profile, set_=set_, seeds=seeds)
    read = [read_study(study) for study in studies]
    matrices = [chosen.expand(study) for study in read]
    by_key = {matrix.plan.key: study for matrix, study in zip(matrices, read, strict=True)}

    folder = results_folder(results, settings)
    again = Remedy("run", (*map(str, studies), *_options(profile, set_, seeds, executor)))
    if dry_run:
        print_previews(matrices, folder, settings, as_json=as_json)
        return
    if smoke:
        raise typer.Exit(_try_rows(matrices, settings, folder, as_json=as_json))
    announce(matrices, folder, settings, yes=yes)
    options = Options(
        wait=wait,
        again=again,
        with_seeds=lambda matrix, more: chosen.expand(by_key[matrix.plan.key], more),
        detach=detach,
    )
    raise typer.Exit(_carry_out(matrices, settings, folder, options, as_json=as_json))


def _with_executor(settings: Settings, kind: ExecutorKind | None) -> Settings:
    """The settings with the place that --executor names, if it names one."""
    if kind is None:
        return settings
    executor = settings.executor.model_copy(update={"kind": kind.value})
    return settings.model_copy(update={"executor": executor})


def _carry_out(
    matrices: list[Matrix], settings: Settings, folder: Path, options: Options, *, as_json: bool
) -> int:
    """Run all jobs that are left, and show them; returns the exit code."""
    from ablate.cli.live import Live
    from ablate.execute.run_study import run_studies
    from ablate.execute.stop import StopRequests
    from ablate.methods.lifecycle import JobStatus

    stop, live = StopRequests(), Live(folder)
    with listening(stop):
        summary = run_studies(matrices, folder, settings, live, stop=stop, options=options)
    for matrix in matrices:
        rows = {job.id for job in matrix.plan.jobs if job.variant is not None}
        if any(summary.statuses.get(job) is JobStatus.DONE for job in rows):
            live.say("the table", Remedy("report", (matrix.plan.name,)))
    if as_json:
        print_json(_record(matrices, summary))
    return summary.exit_code


def _try_rows(matrices: list[Matrix], settings: Settings, folder: Path, *, as_json: bool) -> int:
    """Run two steps of every row of each study; returns the exit code."""
    from ablate.cli.live import Live
    from ablate.execute.smoke import rows_not_tried, smoke
    from ablate.execute.stop import StopRequests

    for matrix in matrices:
        rows_not_tried(matrix)  # which refuses a study of which nothing can be tried
    stop, live = StopRequests(), Live(folder)
    with listening(stop):
        ends = [smoke(matrix, settings, live, stop=stop) for matrix in matrices]
    live.say("a trial of every row: nothing was kept")
    if as_json:
        print_json([_record([one], end) for one, end in zip(matrices, ends, strict=True)])
    return max(summary.exit_code for summary in ends)


def _record(matrices: Sequence[Matrix], summary: Summary) -> dict[str, object]:
    """How a run ended, as docs/json.md describes it."""
    return {
        "studies": [{"study": one.plan.name, "key": one.plan.key} for one in matrices],
        "exit_code": summary.exit_code,
        "attempts": summary.launched,
        "resumed": summary.resumed,
        "stopped": summary.stopped,
        "detached": summary.detached,
        "jobs": [
            {
                "id": job,
                "status": status,
                "error": summary.messages.get(job),
                "left_alone": summary.held.get(job),
            }
            for job, status in summary.statuses.items()
        ],
    }


def _options(
    profile: str | None, set_: list[str] | None, seeds: str | None, executor: str | None
) -> list[str]:
    """The options that make a study the one that it is, as they were given."""
    options = [
        ("--profile", profile),
        *(("--set", one) for one in set_ or ()),
        ("--seeds", seeds),
        ("--executor", executor),
    ]
    return [word for name, text in options if text is not None for word in (name, text)]


class listening:  # noqa: N801 - reads as a verb in `with`
    """While inside, Ctrl-C, SIGTERM and a closed terminal ask the run to stop.

    Only Ctrl-C asks twice: systemd sends SIGHUP right after SIGTERM.
    What was ignored before stays so: `nohup` means that the run outlives its terminal.
    """

    def __init__(self, stop: StopRequests) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._ask)

    def _ask(self, number: int, _: object) -> None:
        if number == signal.SIGINT or not self._stop.count:
            self._stop.request()

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # Asked to stop and about to: one more Ctrl-C must not tear apart what is left to do.
            signal.signal(number, signal.SIG_IGN if self._stop.count else handler)
