"""The scheduler's record of a job, linked to the jobs that wait for it."""

from __future__ import annotations

import graphlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from ablate.execute.scheduler.messages import Task, TasksAdded
from ablate.execute.scheduler.retry import RetryRecord
from ablate.methods.lifecycle import BROKEN, JobStatus

#: What a job is while an attempt of it is on a device.
ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(slots=True)
class ScheduledTask:
    """A task with its status; counts of neighbours save walking over them."""

    task: Task
    order: int
    attempt: int  #: number of the latest attempt, of this run or an earlier one
    status: JobStatus = JobStatus.WAITING
    record: RetryRecord = field(default_factory=RetryRecord)
    launched: int = 0
    ended: int = 0
    unfinished: int = 0  #: upstream jobs that are not DONE
    broken: int = 0  #: upstream jobs that are BROKEN
    downstream: list[ScheduledTask] = field(default_factory=list, repr=False)
    history: deque[str] = field(default_factory=lambda: deque(maxlen=8))


def linked(added: TasksAdded, known: Mapping[str, ScheduledTask]) -> dict[str, ScheduledTask]:
    """New jobs, linked to each other and to those that are known; ValueError for a wrong graph."""
    new: dict[str, ScheduledTask] = {}
    for order, task in enumerate(added.tasks, start=len(known)):
        if task.id in new or task.id in known:
            raise ValueError(f"two tasks are called {task.id}")
        record = RetryRecord(step=added.steps.get(task.id, 0))
        new[task.id] = ScheduledTask(task, order, added.attempts.get(task.id, 0), record=record)
        if task.id in added.done:
            new[task.id].status = JobStatus.DONE
        elif task.id in added.failed:
            status = new[task.id].status = added.failed[task.id]
            if status not in (JobStatus.FAILED, JobStatus.DIVERGED):
                raise ValueError(f"{task.id} cannot have failed as {status}")
    for task in added.tasks:
        for name in task.upstream:
            if name not in new and name not in known and name not in added.done:
                raise ValueError(f"{task.id} needs {name}, which is not there")
    graph = {task.id: [n for n in task.upstream if n in new] for task in added.tasks}
    graphlib.TopologicalSorter(graph).prepare()  # CycleError is a ValueError and shows the cycle
    for job in new.values():
        for above in (new.get(n) or known.get(n) for n in dict.fromkeys(job.task.upstream)):
            if above is not None:
                above.downstream.append(job)
                job.unfinished += above.status is not JobStatus.DONE
                job.broken += above.task.id in known and above.status in BROKEN
    return new


def check_job(job: ScheduledTask, jobs: Mapping[str, ScheduledTask]) -> None:
    """Assert what must always hold of one job; for tests."""
    upstream = [jobs[name].status for name in dict.fromkeys(job.task.upstream) if name in jobs]
    assert job.unfinished == sum(status is not JobStatus.DONE for status in upstream), job
    assert job.broken == sum(status in BROKEN for status in upstream), job
    assert job.launched - job.ended == (job.status in ACTIVE), "one outcome per attempt"
    if job.launched or job.status is JobStatus.READY:
        assert not job.unfinished, "upstream before downstream"
    if job.status in (JobStatus.WAITING, JobStatus.BLOCKED):
        assert job.unfinished, "a job waits for nothing"
        assert (job.status is JobStatus.BLOCKED) == (job.broken > 0), (
            "blocked by broken upstream jobs"
        )
