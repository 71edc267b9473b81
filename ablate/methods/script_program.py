"""Run a script that is declared as a method: the program of its jobs, in a worker."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import sys
from pathlib import Path

from ablate.errors import CrashError, JobError
from ablate.methods.script import MAIN, STAGE, TAKEN, Stage, arguments, filled, variables
from ablate.methods.script_file import Declaration
from ablate.methods.script_metrics import Readings, in_files
from ablate.methods.script_process import Command, CommandError
from ablate.methods.session import Outcome, Position, Session

_MOST_LINE = 1 << 16  #: bytes of an unfinished line that are kept
_MOST_LETTERS = 500  #: of the last line, that an error carries
_LINE_ENDS = re.compile(rb"[\r\n]+")


def run_script(session: Session, declaration: Declaration) -> Outcome:
    """Run the command of a job's stage, and read what it measured.

    Raises JobError where a number is missing, CrashError where the command was killed, and
    CommandError with the last line of its output where it failed; the log has the rest.
    """
    script = declaration.script
    kind = session.config.kind
    stage = script.stages[kind if kind in script.stages else MAIN]
    run = _Run(session, declaration, stage)
    run.carry_out()
    metrics = {**run.readings.kept, **run.in_files()} if stage.name == MAIN else {}
    missing = [name for name in script.measures if stage.name == MAIN and name not in metrics]
    if missing:
        pattern = script.measures[missing[0]].place
        raise JobError(f'the script printed no {missing[0]}: no line matches "{pattern}"')
    if stage.name != MAIN:
        _refuse_folders(session.output)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    on_cpu = session.machine.device == "cpu"
    taken = {f"{TAKEN}{name}": str(script.measures[name].take) for name in metrics}
    facts = {"command": run.line, **taken}
    return Outcome(metrics, facts=facts, peak_memory=used if on_cpu else 0)


class _Run:
    """One attempt at a stage."""

    def __init__(self, session: Session, declaration: Declaration, stage: Stage) -> None:
        script, method = declaration.script, declaration.method
        self.session, self.script, self.stage = session, script, stage
        self.places = _places(session, Path(method.file).parent, script.needed(stage.name))
        metrics = {metric.name: metric for metric in method.metrics}
        self.readings = Readings(metrics, script.measures, stage.progress)
        self.ended = 0  #: the last epoch that is known to be over
        self.asked = False  #: whether the command was asked to leave
        self.last = ""  #: the last line with words
        self.rest = b""  #: an unfinished line
        self.line = ""  #: the command as people would type it

    def carry_out(self) -> None:
        """Run the command, from its checkpoints if it can; Interrupted if it was asked to stop."""
        if self._take_up():
            self._run(resumed=True)
            if self.stage.name != MAIN or not self.readings.incomplete():
                return
            sys.stderr.write("what the script had printed before is lost, so it begins anew\n")
            self.ended, self.readings = 0, self.readings.afresh()
        self._remove_files()
        self._run(resumed=False)

    def _take_up(self) -> bool:
        """Whether the script goes on from checkpoints of its own."""
        if self.stage.resume is None or not any(self.session.own_checkpoints.iterdir()):
            return False
        saved = self.session.resume()
        state = json.loads(saved) if saved else {}
        self.ended = state.get("ended", 0)
        self.readings.kept |= state.get("kept", {})
        self.readings.seen |= state.get("seen", {})
        return True

    def _remove_files(self) -> None:
        """Remove what earlier attempts left, which this one does not go on from."""
        for entry in [*self.session.own_checkpoints.iterdir(), *self.session.output.iterdir()]:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def _run(self, *, resumed: bool) -> None:
        settings, threads = self.session.config.settings, str(self.session.machine.threads)
        words = arguments(self.script, self.stage, settings, self.places, resumed=resumed)
        self.line = shlex.join(words)
        fixed = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": threads}
        given = variables(self.script, self.stage, settings, self.places)
        folder = Path(filled(self.stage.working_folder, self.places))
        sys.stdout.flush()
        command = Command(words, {**os.environ, **fixed, **given}, folder)
        try:
            code = command.follow(self._take, lambda: self._look(command))
        finally:
            command.end()
        rest, self.rest = self.rest, b""
        if rest:
            self._line(rest)
        if code:
            self._stop_if_asked()
            self._fail(code)
        if self.readings.epoch:
            self._end_epoch(self.readings.epoch, self.readings.current)

    def _look(self, command: Command) -> None:
        if self.session.stop_requested and not self.asked:
            self.asked = True
            command.terminate()

    def _stop_if_asked(self) -> None:
        if self.asked:
            saves = self._snapshot if self.stage.resume is not None else None
            self.session.step_done(Position(self.ended, self.ended, True), saves)

    def _take(self, chunk: bytes) -> None:
        """Copy output into the job's log, and read its finished lines."""
        sys.stdout.write(chunk.decode(errors="replace"))
        *lines, self.rest = _LINE_ENDS.split(self.rest + chunk)
        self.rest = self.rest[-_MOST_LINE:]
        for line in lines:
            self._line(line)

    def _line(self, content: bytes) -> None:
        line = content.decode(errors="replace")
        self.last = line.strip() or self.last
        ended = self.readings.read(line)
        if ended is not None:
            self._end_epoch(*ended)

    def _end_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Note an epoch that is over; while it is being stopped, the command saves by itself."""
        self.session.log_epoch(epoch, epoch, metrics)
        self.ended = max(self.ended, epoch)
        if not self.session.stop_requested:
            saves = self._snapshot if self.stage.resume is not None else None
            self.session.step_done(Position(self.ended, self.ended, True), saves)

    def _snapshot(self) -> bytes:
        """What a resumed attempt has to know; the script's own checkpoint is its own affair."""
        read = {"kept": self.readings.kept, "seen": self.readings.seen}
        return json.dumps({"ended": self.ended, **read}).encode()

    def _fail(self, code: int) -> None:
        if code < 0:
            raise CrashError(f"the command was killed by {signal.Signals(-code).name}")
        why = f": {self.last[-_MOST_LETTERS:]}" if self.last else " and printed nothing"
        raise CommandError(f"the command ended with exit code {code}{why}")

    def in_files(self) -> dict[str, float]:
        """Values of the metrics that stand in files."""
        folder = Path(filled(self.stage.working_folder, self.places))
        return in_files(
            self.readings.metrics,
            self.script.measures,
            lambda place: folder / filled(place, self.places),
        )


def _places(session: Session, folder: Path, stages: list[str]) -> dict[str, str]:
    """What stands in braces -> its value for this job."""
    return {
        "python": sys.executable,
        "seed": str(session.config.seed),
        "folder": str(folder),
        "output": str(session.output),
        "checkpoints": str(session.own_checkpoints),
        "device": session.machine.device,
        "threads": str(session.machine.threads),
        "pair": session.config.pair,
        **{f"{STAGE}{name}": str(session.upstream(name)) for name in stages},
    }


def _refuse_folders(output: Path) -> None:
    """What is handed over is checked file by file."""
    for entry in output.iterdir():
        if entry.is_dir():
            raise JobError(f"{entry} is a folder: a stage hands over files only")
