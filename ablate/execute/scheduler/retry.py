"""The retry policy: how often a failed attempt is repeated, and after which pause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ablate.execute.scheduler.messages import (
    Ended,
    Trigger,
)
from ablate.methods.lifecycle import AttemptOutcome


@dataclass(frozen=True)
class RetryRecord:
    """Facts from past attempts that decide about the next."""

    retries: int = 0  #: attempts without progress since the last that had some
    step: int = 0  #: that checkpoints had reached at the latest end of an attempt
    fingerprints: frozenset[str] = frozenset()
    alone: bool = False  #: ran out of memory once, so it gets a device to itself
    evictions: int = 0  #: by the cluster, without progress since the last that had some


#: What comes of an outcome that no other attempt would change.
_CERTAIN: Mapping[AttemptOutcome, Trigger] = {
    AttemptOutcome.FINISHED: Trigger.FINISH,
    AttemptOutcome.DIVERGED: Trigger.DIVERGE,  # training is deterministic
    AttemptOutcome.REFUSED: Trigger.GIVE_UP,  # only the user can put that right
    AttemptOutcome.CANCELLED: Trigger.STOP,  # as somebody wants it; the next run goes on
}

#: What a cluster does to a job that is not to blame for it.
_EVICTED = (AttemptOutcome.PREEMPTED, AttemptOutcome.NODE_FAILED)

#: What a job may suffer as often as it makes progress in between.
_WORTH_MORE = (AttemptOutcome.INTERRUPTED, AttemptOutcome.TIME_LIMIT)

#: What comes of stopping a worker.
_STOPPED = (
    AttemptOutcome.CRASHED,
    AttemptOutcome.LOST,
    AttemptOutcome.INTERRUPTED,
    AttemptOutcome.TIME_LIMIT,
)

#: What comes of an outcome that the job is not to blame for: it costs no retry.
_INNOCENT: Mapping[AttemptOutcome, Trigger] = {
    AttemptOutcome.MACHINE: Trigger.REPEAT_NOW,  # after the pause that all jobs make
    AttemptOutcome.BUSY: Trigger.REPEAT_LATER,
}


#: Ends that the same error at the same place brings about in any job that gets there.
DETERMINISTIC = (AttemptOutcome.ERROR, AttemptOutcome.REFUSED)


@dataclass(frozen=True)
class RetryPolicy:
    """The retry policy: how often a failed attempt is repeated, and after which pause."""

    max_retries: int = 3
    first_delay_s: float = 1.0
    factor: float = 4.0
    max_evictions: int = 100  #: by the cluster, without progress
    first_pause_s: float = 1.0  #: after a fault of the machine; each next one is twice as long
    longest_pause_s: float = 30.0
    machine_wait_s: float = 3600.0  #: pauses in all, without progress, before the run ends
    busy_s: float = 5.0  #: pause before a job that another worker holds is tried again

    def delay_s(self, record: RetryRecord) -> float:
        """Pause before the next attempt."""
        return float(self.first_delay_s * self.factor ** max(record.retries - 1, 0))

    def pause_s(self, pauses: int) -> float:
        """Pause of all jobs after a fault of the machine; `pauses`: how many there were before."""
        return min(self.longest_pause_s, float(self.first_pause_s * 2 ** min(pauses, 30)))

    def judge(
        self, record: RetryRecord, end: Ended, *, shared: bool, stopping: bool
    ) -> tuple[Trigger, RetryRecord]:
        """Decide what becomes of a job whose attempt ended, and what to remember of it.

        `shared`: others may have been on its device, so that memory running out need not be
        the job's own fault. While `stopping`, crashes are our own doing and never count.
        """
        outcome = end.outcome
        if outcome in _CERTAIN:
            return _CERTAIN[outcome], record
        if outcome in _INNOCENT:
            after = replace(record, step=max(end.step, record.step))
            return Trigger.STOP if stopping else _INNOCENT[outcome], after
        progress = end.step > record.step
        after = replace(record, step=end.step)
        if progress:
            after = replace(after, retries=0, evictions=0)
        evicted = outcome in _EVICTED and after.evictions < self.max_evictions
        if evicted:
            after = replace(after, evictions=after.evictions + 1)
        if stopping and (evicted or outcome in _STOPPED):
            return Trigger.STOP, after
        if evicted or (progress and outcome in _WORTH_MORE):
            return Trigger.REPEAT_NOW, after
        if not progress and not (shared and outcome is AttemptOutcome.OUT_OF_MEMORY):
            after = replace(after, retries=after.retries + 1)
        repeated = False
        if outcome is AttemptOutcome.OUT_OF_MEMORY:
            after = replace(after, alone=True)
        elif outcome is AttemptOutcome.ERROR and end.fingerprint:
            repeated = end.fingerprint in record.fingerprints
            after = replace(after, fingerprints=record.fingerprints | {end.fingerprint})
        if repeated or after.retries > self.max_retries:
            return Trigger.GIVE_UP, after
        return Trigger.STOP if stopping else Trigger.REPEAT_LATER, after


USUAL = RetryPolicy()
