"""What a worker makes of a program's end: what it returned, and what it raised."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from ablate.errors import DivergedError, InputError, JobError, Problem
from ablate.execute.worker import main as worker
from ablate.execute.worker.describe_error import describe_error
from ablate.execute.worker.main import EXIT_FAILED, attempt
from ablate.execute.worker.order import Order
from ablate.execute.worker.worker_session import StopFlag
from ablate.methods.lifecycle import AttemptOutcome
from ablate.methods.session import Machine, Outcome
from ablate.store.rundir import RunDirectory
from tests.execute.fake_launcher import make_matrix

PROBLEM = Problem("data", "cifar100", "can't be read", "a sound copy")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    ((job, config),) = make_matrix(1).configs.items()
    return RunDirectory.of(tmp_path, job).create(config)


def ends(run: RunDirectory, monkeypatch: pytest.MonkeyPatch, program: Callable[..., Any]) -> int:
    """Let a worker run a program, in this process."""
    monkeypatch.setattr(worker, "load_program", lambda *_: program)
    return attempt(Order(run.path, 1, Machine(), {}), StopFlag())


def because(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("returned", "kind", "message"),
    [
        ({"top1": 90.0}, "refused", "JobError: q must return an Outcome, not dict"),
        (None, "refused", "JobError: q must return an Outcome, not NoneType"),
        (
            Outcome({"top1": "5"}),  # type: ignore[dict-item]
            "refused",
            """JobError: q must return numbers as metrics, but "top1" is '5', of type str""",
        ),
        (
            Outcome({"top1": 5.0}, {"top1": None}),  # type: ignore[dict-item]
            "refused",
            'JobError: q must return numbers as best, but "top1" is None, of type NoneType',
        ),
        (
            Outcome([("top1", 5.0)]),  # type: ignore[arg-type]
            "refused",
            "JobError: q must return numbers by name as metrics, not list",
        ),
        (
            Outcome({"loss": 0.5, "top1": math.nan}),
            "diverged",
            'DivergedError: q returned metrics in which "top1" is nan',
        ),
    ],
)
def test_a_result_is_an_outcome_of_finite_numbers(
    run: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    returned: object,
    kind: str,
    message: str,
) -> None:
    assert ends(run, monkeypatch, lambda session: returned) == EXIT_FAILED
    assert run.result() is None
    told = run.events().events[-1]
    assert (told.outcome, told.message) == (kind, message)


def test_numbers_of_any_library_are_numbers(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics: dict[str, Any] = {"top1": np.float32(90.5), "whole": 3, "count": np.int64(7)}
    assert ends(run, monkeypatch, lambda session: Outcome(metrics, metrics)) == 0
    result = run.result()
    assert result is not None
    assert result.metrics == result.best == {"top1": 90.5, "whole": 3.0, "count": 7.0}


REFUSED, ERROR, DIVERGED = (
    AttemptOutcome.REFUSED,
    AttemptOutcome.ERROR,
    AttemptOutcome.DIVERGED,
)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InputError(PROBLEM), REFUSED),
        (JobError("the file has changed"), REFUSED),
        (
            because(InputError(PROBLEM), FileNotFoundError(errno.ENOENT, "gone")),
            AttemptOutcome.REFUSED,
        ),
        (
            because(InputError(PROBLEM), PermissionError(errno.EACCES, "not yours")),
            AttemptOutcome.REFUSED,
        ),
        (because(InputError(PROBLEM), URLError("no such host")), REFUSED),
        (because(InputError(PROBLEM), ValueError("no idx file")), REFUSED),
        (because(InputError(PROBLEM), OSError(errno.ESTALE, "stale")), ERROR),
        (
            because(InputError(PROBLEM), ConnectionResetError(errno.ECONNRESET, "reset")),
            AttemptOutcome.ERROR,
        ),
        (DivergedError("nan"), DIVERGED),
        (ValueError("a bug"), ERROR),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value!r:.30} {value.__cause__!r}",
)
def test_what_another_attempt_would_find_just_so(error: Exception, outcome: AttemptOutcome) -> None:
    assert describe_error(error, 1).outcome is outcome


def test_a_refused_input_is_told_in_its_sentence(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> None:
        raise InputError(PROBLEM)

    assert ends(run, monkeypatch, refuse) == EXIT_FAILED
    sentence = "InputError: data: cifar100: can't be read (a sound copy)"
    assert capsys.readouterr().err == f"{sentence}\n"
    told = run.events().events[-1]
    assert told.message == sentence
    assert "Traceback" in told.traceback, "but nothing is lost"


def test_the_log_has_the_traceback_of_a_bug(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(run, monkeypatch, lambda session: 1 / 0) == EXIT_FAILED
    assert "Traceback" in (said := capsys.readouterr().err)
    assert said.endswith("ZeroDivisionError: division by zero\n")
