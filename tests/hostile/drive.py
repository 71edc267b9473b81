"""Run in a cage: mutate a results folder again and again, and run every command over it.

    drive.py FIRST LAST    # the seeds; prints a JSON object with what went wrong

A command runs in a fork of this process, which has loaded everything: that costs a tenth of a new
process. What counts as wrong: a command that does not end, a traceback, an exit code that is none
of ours, anything that changed outside the results folder or, by a command that only reads, inside
it, a signal to a process that is not the command's own, and a result at the end that is neither
equal to the bit nor refused by name.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import hashlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.cli import main
from tests.execute.toy_workshop import Workshop
from tests.hostile.mutations import Forger

HANG_S = 10.0  #: of a command on an idle machine; `doctor` and what trains may take LONG_S
LONG_S = 60.0
PATIENCE = float(os.environ.get("HOSTILE_PATIENCE", "6"))  #: a loaded machine is that much slower
CODES = (0, 1, 2)
NO_CODE = 3  #: of a fork that ended in an exception
LOADED = ("ablate.cli.app", "matplotlib.pyplot", "pandas", "scipy.stats", "sqlalchemy")
LAST = (
    ("report",),
    ("forget", "study"),
    ("clean", "--yes"),
    ("sync", "study"),
    ("cancel", "study"),
)
FORMATS = ("markdown", "latex", "csv", "json", "html")


@dataclass
class Said:
    """What a command did."""

    code: int
    text: str
    seconds: float


class Stage:
    """Folders and processes around a results folder: whatever a command must leave alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slowest = (0.0, "")  #: seconds of a command, and which
        self.workshop = Workshop(folder / "stage")
        self.base = folder / "base"
        self.other = folder / "other"
        self.victim = self.workshop.folder / "victim"
        self.canaries = [
            subprocess.Popen(["sleep", "inf"], start_new_session=True),
            subprocess.Popen(["sleep", "inf"]),
        ]

    def build(self) -> list[dict[str, Any]]:
        """Make the finished study, and what it computed."""
        self.study = self.workshop.study("work", "[300]", method="TAUGHT")
        self.workshop.run(self.study, "--seeds", "0-2")
        shutil.copytree(self.workshop.results, self.base)
        self.partly = self.folder / "partly"
        self.workshop.run(self.study, "--seeds", "0", "--results", str(self.partly))
        shutil.copytree(self.partly, self.other)
        self.victim.mkdir()
        return records(self.ablate("export").text)

    def warm(self, commands: Sequence[tuple[str, ...]]) -> None:
        """Run commands in this process, so that forks find loaded what they need."""
        here = Path.cwd()
        os.chdir(self.workshop.folder)
        for command in commands:
            sys.argv = ["ablate", *command]
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
                main()
        os.chdir(here)
        gc.enable()
        gc.collect()
        gc.freeze()  # a fork copies no page only to look for garbage

    def reset(self) -> None:
        """Put the sound results folder and an untouched victim in place."""
        for place in (self.workshop.results, self.other, self.victim):
            shutil.rmtree(place)
        shutil.copytree(self.base, self.workshop.results)
        shutil.copytree(self.partly, self.other)
        self.victim.mkdir()
        (self.victim / "file").write_text("secret\n")

    def ablate(self, *arguments: str, limit_s: float = HANG_S) -> Said:
        """Run a command in a fork; code 124 if it did not end in time, -N by a signal."""
        output = self.folder / "output"
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(self.workshop.folder, output, arguments)
        code = _wait(child, began + limit_s * PATIENCE)
        return Said(code, output.read_text(errors="replace"), time.monotonic() - began)


def _become(folder: Path, output: Path, arguments: Sequence[str]) -> None:
    """Be a command from here to the end of the process, as `python -m ablate` is."""
    code: object = 0
    try:
        os.setsid()
        os.chdir(folder)
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.argv = ["ablate", *arguments]
        sys.modules["__main__"] = types.ModuleType("__main__")  # workers import no test
        main()
    except SystemExit as ending:
        code = ending.code or 0
    except BaseException:
        code = NO_CODE
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else NO_CODE)


def _wait(child: int, deadline: float) -> int:
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return 124
        time.sleep(0.005)


def records(text: str) -> list[dict[str, Any]]:
    """What must be equal of the records that `ablate export` prints."""
    start = text.find("[")
    found = json.loads(text[start : text.rindex("]") + 1]) if start >= 0 else []
    kept = ("id", "variant", "pair", "seed", "status", "metrics", "weights_digest")
    return sorted(({key: one[key] for key in kept} for one in found), key=lambda one: one["id"])


def content(folder: Path) -> dict[str, str]:
    """What is in a folder, by path, without following anything."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"link {path.readlink()}"
        elif path.is_file():
            large = path.stat().st_size > 2**24
            found[str(path)] = "large" if large else hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = f"mode {path.lstat().st_mode:o}"
    return found


def reading(job: str, study: str, form: str) -> list[tuple[str, ...]]:
    """Commands that write nothing into a results folder."""
    return [
        ("status",), ("status", "--all", "--json"), ("show", job), ("show", job, "--json"),
        ("logs", job), ("preview", study), ("export",), ("export", "--format", "csv"),
        ("clean",), ("clean", "--json"), ("status", "study"),
        ("report", "study"), ("report", "study", "--format", form),
        ("report", "--html", "../page.html"), ("merge", "results", "--results", "../other"),
        ("report", "--figures", "../figures"), ("doctor",),
    ]  # fmt: skip


def faults_of(stage: Stage, seed: int, before: list[dict[str, Any]]) -> tuple[list[str], Forger]:
    """Mutate with this seed, run everything, and say what was wrong."""
    stage.reset()
    rng = random.Random(seed)
    results = stage.workshop.results
    forger = Forger(results, stage.victim, stage.canaries[0].pid, rng)
    forger.mutate(rng.choice([1, 1, 1, 2, 3]))
    job = rng.choice([one["id"] for one in before])
    outside, inside = content(stage.victim), content(results)
    faults: list[str] = []

    def run(*command: str) -> Said:
        limit_s = LONG_S if command[0] in ("run", "verify", "doctor") else HANG_S
        said = stage.ablate(*command, limit_s=limit_s)
        faults.extend(f"{' '.join(command)}: {one}" for one in wrong_with(said))
        stage.slowest = max(stage.slowest, (said.seconds, command[0]))
        if changed := _changes(outside, content(stage.victim)):
            faults.append(f"{' '.join(command)}: changed outside {changed}")
        if dead := [one.pid for one in stage.canaries if one.poll() is not None]:
            faults.append(f"{' '.join(command)}: ended process {dead}")
        return said

    sound = seed % 10 != 0  # the last two take long
    for command in reading(job, stage.study, FORMATS[seed % len(FORMATS)])[: -2 if sound else None]:
        run(*command)
        if changed := _changes(inside, content(results)):
            faults.append(f"{' '.join(command)}: only reads, and changed {changed}")
            inside = content(results)
    run("reindex")
    run("retry")
    again = run("run", stage.study, "--seeds", "0-2")
    faults += judged(again, run("export"), before, forger)
    for command in (
        ("report",),
        ("forget", "study"),
        ("clean", "--yes"),
        ("sync",),
        ("cancel", "study"),
    ):
        run(*command)
    if seed % 10 == 0:
        run("verify", stage.study, "--kills", "1")
    return faults, forger


def wrong_with(said: Said) -> list[str]:
    """What is wrong with a command, whatever it was."""
    if said.code == 124:
        return ["did not end"]
    faults = []
    if "Traceback (most recent" in said.text:
        faults.append("traceback: " + " | ".join(said.text.strip().splitlines()[-6:]))
    if "internal error: " in said.text:
        faults.append(f"an error that nobody expected: {said.text[-300:]}")
    if said.code not in CODES:
        faults.append(f"exit code {said.code}: {said.text[-300:]}")
    if "secret" in said.text:
        faults.append("printed a file from outside")
    if any(mark in said.text for mark in ("\x1b[31mred", "\u202e")):
        faults.append("printed control characters")
    return faults


def judged(run: Said, export: Said, before: list[dict[str, Any]], forger: Forger) -> list[str]:
    """Whether the study came out equal to the bit, or was refused by name."""
    if run.code == 0:
        if forger.signed:
            return []
        try:
            now = records(export.text)
        except ValueError as error:
            return [f"export: no JSON ({error}): {export.text[-300:]}"]
        if now == before:
            return []
        odd = [f"{a} instead of {b}" for a, b in zip(now, before, strict=False) if a != b]
        return [f"unequal, {len(now)} of {len(before)} jobs: {odd[:1]}; run: {run.text[-600:]}"]
    if any(word in run.text for word in forger.touched):
        return []
    return [f"refused without a name (code {run.code}): {run.text[-600:]}"]


def _changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )[:5]


def mutate_and_look() -> None:
    first, last = int(sys.argv[1]), int(sys.argv[2])
    folder = Path.cwd()
    (folder / "stage").mkdir()
    for module in LOADED:
        importlib.import_module(module)
    stage = Stage(folder)
    before = stage.build()
    for form in FORMATS:
        stage.warm(reading(before[0]["id"], stage.study, form)[:-2])
    stage.warm([("retry",), ("reindex",), ("sync", stage.study)])
    found = []
    for seed in range(first, last):
        faults, forger = faults_of(stage, seed, before)
        if faults:
            found.append({"seed": seed, "mutations": forger.done, "faults": faults})
            sys.stderr.write(json.dumps(found[-1], indent=1) + "\n")
            sys.stderr.flush()
    for canary in stage.canaries:
        canary.kill()
    told = {"found": found, "jobs": len(before), "slowest": stage.slowest}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    mutate_and_look()
