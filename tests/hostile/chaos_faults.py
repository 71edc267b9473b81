"""Run in a cage: a study under kills and whatever a strange machine does to it.

The disk fills and empties, inodes and open files run out, the folder is copied in mid-run, the
reader of the output goes away; all the time temporary folders cannot be written and /dev/shm
has 64 KiB.

    chaos_faults.py SEED FAULTS    # prints a JSON object with what was done and what came out

At the end the study must be whole without `ablate retry`: nothing lost, nothing doubled, nothing
unequal, and every copy that was taken in mid-run must come to the same end by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.execute.chaos import MOMENTS, Chaos, consistent
from tests.execute.toy_workshop import Workshop

DISK = "size=3m,nr_inodes=2000"
COPIES = 3  #: in how many copies a run goes on at once, beside the original's


class Faults(Chaos):
    """Kills, and what else happens to a run on a strange machine."""

    def _disturb(self, run: subprocess.Popen[str]) -> None:
        faults = {
            "disk": self._fill,
            "inodes": self._use_inodes,
            "files": self._use_files,
            "copy": self._copy,
            "output": self._close,
        }
        which = self._rng.choice(["kill", "kill", *faults])
        if which == "kill":
            super()._disturb(run)
        else:
            faults[which](run)
            self.kills[which] += 1

    def _fill(self, _: subprocess.Popen[str]) -> None:
        """Fill the disk to its last byte, and give the room back after a while."""
        filler = self.workshop.results / "filler"
        filler.touch()
        descriptor = os.open(filler, os.O_WRONLY | os.O_APPEND)
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while os.write(descriptor, bytes(size)) == size:
                    pass
        os.close(descriptor)
        time.sleep(self._rng.uniform(0.1, 2.0))
        filler.unlink()

    def _use_inodes(self, _: subprocess.Popen[str]) -> None:
        """Make files until the file system can hold no more, and remove them after a while."""
        filler = self.workshop.results / "filler"
        with contextlib.suppress(OSError):
            filler.mkdir()
            for number in range(3000):
                (filler / str(number)).touch()
        time.sleep(self._rng.uniform(0.1, 2.0))
        shutil.rmtree(filler, ignore_errors=True)

    def _use_files(self, run: subprocess.Popen[str]) -> None:
        """Let the run open no more files for a while."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(run.pid)
            soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
            process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds(), hard))
            time.sleep(self._rng.uniform(0.1, 2.0))
            process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))

    def _copy(self, _: subprocess.Popen[str]) -> None:
        """Copy the folder as it is now; in the first copies, runs go on beside the original."""
        number = self.kills["copy"]
        copy = self.workshop.folder / f"copy-{number}"
        _copied(self.workshop.results, copy)
        if number < COPIES:
            self.workshop.start(*self.command, "--results", copy.name, stdout=subprocess.DEVNULL)

    def _close(self, run: subprocess.Popen[str]) -> None:
        """Let the reader of the run's output go away."""
        for pipe in (run.stdout, run.stderr):
            if pipe is not None:
                pipe.close()


def _copied(results: Path, copy: Path) -> None:
    """Copy as `cp -r` does: what goes away meanwhile is left out."""
    with contextlib.suppress(shutil.Error):
        shutil.copytree(results, copy, ignore=shutil.ignore_patterns("filler"))


def mount(options: str, place: Path) -> None:
    """Mount a file system in memory, inside the cage."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=True)


def finish(workshop: Workshop, *command: str) -> None:
    """Let a run come to its end, by itself or beside one that is at it."""
    done = workshop.ablate(*command, "--wait")
    while done.returncode == -signal.SIGKILL:  # an order that was left met this run
        done = workshop.ablate(*command, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr


def outcomes_of(workshop: Workshop, results: str) -> list[object]:
    """What each job of a results folder computed."""
    said = workshop.ablate("export", "--results", results)
    assert said.returncode == 0, said.stderr
    kept = ("kind", "variant", "seed", "status", "metrics", "weights_digest")
    found = [[record[key] for key in kept] for record in json.loads(said.stdout)]
    return sorted(found, key=json.dumps)


def main() -> None:
    seed, faults = int(sys.argv[1]), int(sys.argv[2])
    mount("ro", Path(tempfile.gettempdir()))
    mount("size=64k", Path("/dev/shm"))
    folder = Path.cwd() / "chaos"
    folder.mkdir()
    workshop = Workshop(folder)
    workshop.settings(checkpoint_every="2 steps", max_retries=1000, retry_delay_s=0.0)
    study = workshop.study(method="TAUGHT")
    options = ("--set", "work=20", "--set", "pause=400")
    quiet = workshop.ablate("run", study, *options[:2], "--results", "quiet")
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    expected = outcomes_of(workshop, "quiet")
    workshop.results.mkdir()
    mount(DISK, workshop.results)
    workshop.order(*MOMENTS)
    chaos = Faults(
        workshop, ("run", study, *options), seed, longest_s=0.6,
        codes=(0, 1, -9), output=subprocess.PIPE,
    )  # fmt: skip
    chaos.go(faults)
    for copy in range(chaos.kills["copy"]):
        finish(workshop, *chaos.command, "--results", f"copy-{copy}")
    consistent(workshop)
    assert outcomes_of(workshop, "results") == expected, "nothing lost, doubled or unequal"
    for copy in range(chaos.kills["copy"]):
        assert outcomes_of(workshop, f"copy-{copy}") == expected, f"copy-{copy} is unequal"
    sys.stdout.write(json.dumps(dict(chaos.kills)) + "\n")


if __name__ == "__main__":
    main()
