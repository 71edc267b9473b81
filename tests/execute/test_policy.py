"""What becomes of jobs that go wrong, and that the rest of the study goes on."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from ablate.store.events import Failed
from tests.execute.toy_workshop import Workshop, signal_worker, until


def go_wrong(workshop: Workshop, fault: str, code: int) -> str:
    """Run a study of a baseline and a variant with this fault."""
    return workshop.run(workshop.study("fault", f'["{fault}"]'), "--seeds", "0", code=code)


@pytest.mark.parametrize(
    ("fault", "code", "outcomes"),
    [
        ("bug", 1, ["error", "error"]),  # the same traceback twice; three retries would be left
        ("diverge", 1, ["diverged"]),
        ("flaky_bug", 0, ["error", "finished"]),
        ("oom_once", 0, ["out of memory", "finished"]),
        ("crash_once", 0, ["crashed", "finished"]),
        ("crash", 1, ["crashed"] * 3),
    ],
)
def test_failures(workshop: Workshop, fault: str, code: int, outcomes: list[str]) -> None:
    workshop.settings(max_retries=1 if fault == "crash" else 3)
    said = go_wrong(workshop, fault, code)
    other, wrong = sorted(
        workshop.histories(), key=lambda h: str(h.attempts[0].outcome) != "finished"
    )
    assert [a.outcome for a in other.attempts] == ["finished"], "the rest of the study goes on"
    assert [a.outcome for a in wrong.attempts] == outcomes
    assert "1 done" in said if code else "2 done" in said
    repeated = [a.resumed_step for a in wrong.attempts[1:]]
    assert repeated == [10] * len(repeated), "from the last checkpoint"


def test_the_summary_tells_what_went_wrong(workshop: Workshop) -> None:
    said = go_wrong(workshop, "bug", 1)
    ending = said[said.index("\nfailed    ") :]
    (run,) = (r for r in workshop.runs() if r.result() is None)
    retrying = next(line for line in said.splitlines() if line.startswith("retrying"))
    assert "fault = bug" in retrying
    assert "ValueError: this always goes wrong" in retrying
    assert "failed  fault = bug, seed 0: ValueError: this always goes wrong" in ending
    assert '    |     raise ValueError("this always goes wrong")' in ending
    assert str(run.log) in ending
    assert "\n1 done, 1 failed; 1 resumed from a checkpoint\n" in ending


def test_an_error_is_written_down_in_whatever_words(workshop: Workshop) -> None:
    workshop.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    go_wrong(workshop, "odd_words", 1)
    first, second = workshop.events(Failed)
    assert first.message == second.message == "ValueError: ? λ", "what no database holds"
    (run,) = (r for r in workshop.runs() if r.result() is None)
    assert "ValueError: \\udce9 λ" in run.log.read_text(encoding="utf-8")


def test_diverged_is_told_and_blocks_nothing_else(workshop: Workshop) -> None:
    said = go_wrong(workshop, "diverge", 1)
    assert "DivergedError: the loss became nan" in said
    assert "1 done, 1 diverged" in said
    again = go_wrong(workshop, "diverge", 1)
    assert "1 failed before; to put it back: `ablate retry`\n" in again
    assert all(len(h.attempts) == 1 for h in workshop.histories())


def test_retry_puts_a_job_back(workshop: Workshop) -> None:
    workshop.settings(max_retries=0)
    study = workshop.study("fault", '["flaky_bug", "diverge"]')
    workshop.order("full-event")  # makes a job fail that would not fail again
    workshop.run(study, "--seeds", "0", code=1)
    said = workshop.ablate("retry").stdout
    requeued = said.count("requeued")
    assert requeued >= 1
    done = workshop.ablate("run", study, "--seeds", "0")
    assert done.returncode == 1, "diverging, it diverges again"
    assert "1 diverged" in done.stderr
    assert "failed" not in done.stderr
    assert "nothing to requeue" not in workshop.ablate("retry").stdout


def test_a_resumed_job_has_no_retry_too_many(workshop: Workshop) -> None:
    workshop.settings(max_retries=1)
    study = workshop.study("fault", '["crash"]')
    for attempts in (3, 5):  # progress up to the first checkpoint is made only once
        workshop.run(study, "--seeds", "0", code=1)
        assert max(len(h.attempts) for h in workshop.histories()) == attempts
        assert "requeued" in workshop.ablate("retry").stdout


def test_a_second_run_says_who_holds_the_folder_and_leaves(workshop: Workshop) -> None:
    study = workshop.study()
    first = workshop.start("run", study, "--seeds", "0", "--set", "pause=30")
    worker, *_ = workshop.workers()
    signal_worker(worker, signal.SIGSTOP)  # however long the second takes to start
    second = workshop.ablate("run", study, "--seeds", "0", "--set", "pause=30")
    signal_worker(worker, signal.SIGCONT)
    assert second.returncode == 1
    assert f"is in use by process {first.pid} on " in second.stderr
    assert '"ablate run study"' in second.stderr
    assert workshop.finish(first).returncode == 0
    assert all(len(h.attempts) == 1 for h in workshop.histories())


def test_another_study_waits_and_shares_what_was_trained(workshop: Workshop) -> None:
    one = workshop.study(name="one")
    two = workshop.study(values="[1.0, 2.0]", name="two")
    options = ("--seeds", "0", "--set", "pause=20")
    first = workshop.start("run", one, *options)
    worker, *_ = workshop.workers()
    signal_worker(worker, signal.SIGSTOP)
    second = workshop.start("run", two, "--wait", *options)
    assert second.stderr is not None
    until(lambda: "; waiting" in second.stderr.readline(), "a word")
    signal_worker(worker, signal.SIGCONT)
    assert workshop.finish(first).returncode == 0
    done = workshop.finish(second)
    assert done.returncode == 0, done.stderr
    assert "two (toy): 3 jobs, 2 done" in done.stderr
    assert all(len(h.attempts) == 1 for h in workshop.histories())
    jobs = Counter(record["id"] for record in workshop.records())
    assert sorted(jobs.values()) == [1, 2, 2]
