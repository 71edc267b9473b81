"""Methods without torch: steps that hash, so that a run is fast, deterministic and resumable."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ablate.errors import DeviceMemoryError, DivergedError
from ablate.methods.method import Method, Recipe
from ablate.methods.metrics import TOP1
from ablate.methods.parts import Choice, Part, Range
from ablate.methods.session import JobConfig, Outcome, Position, Session

STEPS_PER_EPOCH = 10

#: What a job does besides its steps; each is one of the things that really happen to jobs.
FAULTS = Choice(
    (
        "none", "bug", "diverge", "oom_once", "exit_0", "ignore_sigterm", "grandchild",
        "crash_once", "crash", "flaky_bug", "hang", "odd_words",
    )
)  # fmt: skip

PARTS = (
    Part("epochs", "epochs", "epochs", 3, Range(1, whole=True)),
    Part("work", "hashes a step", "work", 200, Range(0, whole=True)),
    Part("pause", "milliseconds of rest a step", "pause", 0, Range(0, whole=True)),
    Part("shift", "shift of the result", "s", 0.0, Range(-100, 100)),
    Part("fault", "what goes wrong", "fault", "none", FAULTS),
)


def taught(job: JobConfig, _: Recipe) -> Mapping[str, JobConfig]:
    """A toy teacher: one for all variants and seeds, as slow as its students."""
    if job.kind != "student":
        return {}
    settings = {**job.settings, "shift": 0.0, "fault": "none"}
    return {"teacher": replace(job, kind="teacher", seed=0, settings=settings, upstream={})}


TOY = Method(
    name="toy",
    title="Toy",
    program="train",
    parts=PARTS,
    metrics=(TOP1,),
    roles=(),
    uses_data=False,
)
TAUGHT = replace(TOY, name="taught", title="Taught", upstream=taught)


def train(session: Session) -> Outcome:
    """Hash on from the newest checkpoint to the last epoch."""
    settings, config = session.config.settings, session.config
    saved = session.resume()
    state: dict[str, Any] = (
        json.loads(saved) if saved else {"step": 0, "digest": _first_digest(session)}
    )
    fault = str(settings["fault"])
    if fault == "ignore_sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if fault == "grandchild":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        session.save_artifact("grandchild.pid", str(child.pid).encode())
    print(f"{config.kind} with seed {config.seed} at step {state['step']}")  # noqa: T201 - for the log
    steps = int(settings["epochs"]) * STEPS_PER_EPOCH
    while state["step"] < steps:
        _go_wrong(fault, state["step"], resumed=saved is not None)
        state["digest"] = _work(state["digest"], int(settings["work"]))
        time.sleep(int(settings["pause"]) / 1000)
        state["step"] += 1
        epoch, inside = divmod(state["step"] - 1, STEPS_PER_EPOCH)
        ended = inside == STEPS_PER_EPOCH - 1
        if ended:
            session.log_epoch(epoch + 1, state["step"], {"top1": _top1(state["digest"])})
        session.step_done(
            Position(epoch + 1, state["step"], ended), lambda: json.dumps(state).encode()
        )
    session.save_artifact("knowledge", state["digest"].encode())
    digest = hashlib.sha256(state["digest"].encode()).hexdigest()
    top1 = _top1(state["digest"]) + float(settings["shift"])
    if fault == "exit_0":
        os._exit(0)
    return Outcome({"top1": top1}, {"top1": top1}, int(settings["epochs"]), digest)


def _first_digest(session: Session) -> str:
    knowledge = ""
    if "teacher" in session.config.upstream:
        knowledge = (session.upstream("teacher") / "knowledge").read_text()
    return f"seed {session.config.seed} {knowledge}"


def _work(digest: str, hashes: int) -> str:
    for _ in range(hashes + 1):
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest


def _top1(digest: str) -> float:
    return int(hashlib.sha256(digest.encode()).hexdigest()[:6], 16) / 16**6 * 10 + 80


def _go_wrong(fault: str, step: int, *, resumed: bool) -> None:
    if step != STEPS_PER_EPOCH + 5:  # past the first checkpoint, in mid-epoch
        return
    if fault == "bug":
        raise ValueError("this always goes wrong")
    if fault == "odd_words":
        raise ValueError("\udce9 λ")
    if fault == "diverge":
        raise DivergedError("the loss became nan")
    if fault == "oom_once" and not resumed:
        raise DeviceMemoryError("out of memory")
    if fault == "flaky_bug" and not resumed:
        raise ValueError("this goes wrong once")
    if fault == "crash" or (fault == "crash_once" and not resumed):
        os.kill(os.getpid(), signal.SIGKILL)
    if fault in ("ignore_sigterm", "hang") and not resumed:
        while True:
            time.sleep(600)
