"""Image folders decoded once: a memory map of bytes in the data folder, shared by all jobs.

All cores decode, each in a process of its own, chunk by chunk. A chunk that is done is written down
with its digest, so that an interrupted decoding goes on where it stopped. The map is known by the
content of its images, so a folder that moved is not decoded again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from ablate.errors import InputError, JobError, Problem
from ablate.methods.catalog import DECODED_FOLDER, SOURCE_FILE, DataInfo
from ablate.methods.file_digests import file_digest
from ablate.methods.image_folder import ImageFolder
from ablate.training import decode

Tick = Callable[[int, int], None]  #: images done, images in all; may raise to stop

_CHUNK_BYTES, _CHUNK_IMAGES = 8 * 2**20, 1024
_MOST_FAULTS = 20  #: unreadable images that are named one by one
_LOCK_WAIT_S = 0.2
_ENDS_S = 10.0  #: for a decoding process to end when its input has ended


@dataclass(frozen=True)
class DecodedMap:
    """Where the decoded images of a folder lie, and how many."""

    place: Path
    images: int
    size: int

    @classmethod
    def of(cls, folder: ImageFolder, content: str, size: int, data_dir: Path) -> DecodedMap:
        """The map of a folder of this content, at this size, by this version of the decoder."""
        key = hashlib.sha256(f"{content} {size} {decode.VERSION}".encode()).hexdigest()[:24]
        images = len(folder.train.images) + len(folder.test.images)
        return cls(data_dir / DECODED_FOLDER / key, images, size)

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        return 3 * self.size**2

    @property
    def file(self) -> Path:
        """The map itself: images (n, 3, size, size), those that train first."""
        return self.place / "images.u8"

    @property
    def chunks_file(self) -> Path:
        """A line for each chunk that is done: its first image and its digest."""
        return self.place / "chunks.jsonl"

    @property
    def whole_file(self) -> Path:
        """Holds the digest of the map when all of it is there."""
        return self.place / "whole.json"

    def describe(self, info: DataInfo) -> None:
        """Write down beside the map what was decoded, for `ablate clean`.

        A disk that refuses this is reported by whoever decodes.
        """
        with contextlib.suppress(OSError):
            self.place.mkdir(parents=True, exist_ok=True)
            (self.place / SOURCE_FILE).write_text(json.dumps(asdict(info)))

    def is_whole(self) -> bool:
        """Whether the map is there to the last byte; a large one is read once for this."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if self.file.stat().st_size == self.images * self.image_bytes:
                return bool(
                    json.loads(self.whole_file.read_text())["sha256"] == file_digest(self.file)
                )
        return False

    def open(self) -> Tensor:
        """Memory-mapped images (n, 3, size, size) uint8; no page is read before it is used."""
        shape = self.images, 3, self.size, self.size
        count = self.images * self.image_bytes
        flat = torch.from_file(str(self.file), shared=False, size=count, dtype=torch.uint8)
        return flat.view(shape)


def decoded_images(folder: ImageFolder, target: DecodedMap, tick: Tick) -> Tensor:
    """Images (n, 3, size, size) of a folder, decoded if nobody has done so before.

    Of several processes at a time one decodes and the others wait. Raises `InputError` for images
    that can't be decoded, all of them at once, and for a disk without room.
    """
    try:
        target.place.mkdir(parents=True, exist_ok=True)
        with _locked(target, tick):
            if not target.is_whole():
                _decode_missing(folder, target, tick)
        return target.open()
    except OSError as error:
        message = f"decoded images can't be kept in {target.place}: {error.strerror}"
        raise InputError(Problem("data_dir", "", message)) from error


@contextlib.contextmanager
def _locked(target: DecodedMap, tick: Tick) -> Iterator[None]:
    """Hold the map's lock, which ends with the process that holds it."""
    with (target.place / "lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                tick(0, target.images)
                time.sleep(_LOCK_WAIT_S)
        yield


def _decode_missing(folder: ImageFolder, target: DecodedMap, tick: Tick) -> None:
    orders = _orders(folder, target)
    done = _sound_chunks(target)
    missing = [order for order in orders if order["start"] not in done]
    _check_room(target, sum(len(order["files"]) for order in missing))
    with target.file.open("ab") as file:
        file.truncate(target.images * target.image_bytes)
    finished = target.images - sum(len(order["files"]) for order in missing)
    faults: list[tuple[str, str]] = []
    with target.chunks_file.open("w") as chunks:
        chunks.writelines(_line(start, digest) for start, digest in done.items())
        for order, answer in _answers(missing):
            if answer["faults"]:
                faults += answer["faults"]
            else:
                chunks.write(_line(order["start"], answer["digest"]))
                chunks.flush()
            finished += len(order["files"])
            tick(finished, target.images)
    if faults:
        raise InputError(_fault_problems(folder.root, sorted(faults)))
    temporary = target.place / "whole.tmp"
    temporary.write_text(json.dumps({"sha256": file_digest(target.file)}))
    temporary.replace(target.whole_file)


def _orders(folder: ImageFolder, target: DecodedMap) -> list[dict[str, Any]]:
    """The whole work in chunks; see `decode.decode_chunk`."""
    names = [*folder.train.images, *folder.test.images]
    step = min(_CHUNK_IMAGES, max(1, _CHUNK_BYTES // target.image_bytes))
    shared = {"root": str(folder.root), "size": target.size, "map": str(target.file)}
    return [
        {**shared, "start": start, "files": names[start : start + step]}
        for start in range(0, len(names), step)
    ]


def _line(start: int, digest: str) -> str:
    return json.dumps([start, digest]) + "\n"


def _sound_chunks(target: DecodedMap) -> dict[int, str]:
    """First image -> digest of the chunks that an earlier decoding wrote and that are intact."""
    sound: dict[int, str] = {}
    step = min(_CHUNK_IMAGES, max(1, _CHUNK_BYTES // target.image_bytes))
    with contextlib.suppress(FileNotFoundError), target.file.open("rb") as file:
        for line in target.chunks_file.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError):
                start, digest = json.loads(line)
                file.seek(start * target.image_bytes)
                count = min(step, target.images - start)
                if hashlib.sha256(file.read(count * target.image_bytes)).hexdigest() == digest:
                    sound[start] = digest
    return sound


def _check_room(target: DecodedMap, images: int) -> None:
    need, free = images * target.image_bytes, shutil.disk_usage(target.place).free
    if need > free:
        message = (
            f"decoded images need {need / 2**30:.1f} GiB in {target.place.parent}, "
            f"{free / 2**30:.1f} GiB are free"
        )
        right = 'another data_dir in ablate.toml, or smaller images: "folder:PATH@64"'
        raise InputError(Problem("data_dir", "", message, right))


def _answers(orders: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Let a process for each core work through the orders; yield each with its answer."""
    idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
    cores = min(len(os.sched_getaffinity(0)), len(orders))
    threads = ThreadPoolExecutor(max(1, cores))
    processes = [_start() for _ in range(cores)]
    for process in processes:
        idle.put(process)
    try:
        futures = {threads.submit(_ask, idle, order): order for order in orders}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            _end(process)


def _start() -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", decode.__name__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(idle: SimpleQueue[subprocess.Popen[str]], order: dict[str, Any]) -> dict[str, Any]:
    process = idle.get()
    assert process.stdin, "opened as a pipe"
    assert process.stdout, "opened as a pipe"
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    line = process.stdout.readline()
    idle.put(process)
    if not line:
        raise JobError(f"a process that decodes images ended with exit code {process.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _end(process: subprocess.Popen[str]) -> None:
    """Let a process finish its chunk, and no longer."""
    process.kill()
    process.wait(_ENDS_S)
    for pipe in (process.stdin, process.stdout):
        assert pipe, "opened as a pipe"
        with contextlib.suppress(OSError):
            pipe.close()


def _fault_problems(root: Path, faults: Sequence[tuple[str, str]]) -> list[Problem]:
    problems = [
        Problem(
            "data",
            str(root / name),
            f"is no image that can be used: {fault}",
            "repair or remove it",
        )
        for name, fault in faults[:_MOST_FAULTS]
    ]
    if len(faults) > _MOST_FAULTS:
        more = f"and {len(faults) - _MOST_FAULTS:,} more images that can't be used"
        problems.append(Problem("data", str(root), more))
    return problems
