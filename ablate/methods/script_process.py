"""A command that runs as a child of a worker and never outlives it.

The command runs in a process group of its own, whose leader is a guard: a shell that waits for
the end of its standard input, which the worker holds open, and then kills its own group. So
however the worker ends, all that the command started ends with it, and no process is ever killed
by a number that might be another's by then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ablate.errors import JobError

#: Kills its own group, itself included, when its standard input ends. It heeds no other signal.
_GUARD = "trap '' HUP INT TERM USR1; read line; kill -KILL 0"
_LOOK_S = 0.1  #: how often it is seen whether the worker was asked to stop
_CHUNK = 1 << 16


class CommandError(RuntimeError):
    """A command that ended with an exit code; what it printed says why, and no frame of ours."""


class Command:
    """A running command with the guard of its group."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        """Start it; JobError if there is no such program or folder."""
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            self._process = subprocess.Popen(
                arguments,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=self._guard.pid,
            )
        except OSError as error:
            self.end()
            raise JobError(f"cannot start {arguments[0]} in {folder}: {error.strerror}") from error

    def follow(self, take: Callable[[bytes], None], look: Callable[[], None]) -> int:
        """Hand over what it prints until it ends; returns its exit code, negative for a signal.

        `look` is called in between, several times a second, whether or not something is printed.
        """
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        pipes = [output]
        while True:
            ended = self._process.poll() is not None
            ready, _, _ = select.select(pipes, [], [], 0 if ended else _LOOK_S)
            chunk = os.read(output, _CHUNK) if ready else b""
            if chunk:
                take(chunk)
            elif ended:  # what it started may still hold the pipe open
                return self._process.wait()
            elif ready:  # it closed its output and goes on
                pipes = []
            look()

    def terminate(self) -> None:
        """Ask the command itself to leave."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Kill whatever is left of the group."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()
        process = getattr(self, "_process", None)
        if process is not None:
            process.wait()
            process.stdout.close()
