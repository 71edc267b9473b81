"""What a stranger does to a results folder: seeded mutations of one that was sound."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Values of a wrong type, or of the right one and absurd.
ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", "x", "../../victim", "\0",
    "\u202e\x1b[31mred", "\ud800", "9" * 5000, [], {}, [[]], {"a": {"b": [1]}}, ["x"] * 1000,
)  # fmt: skip


@dataclass
class Forger:
    """Mutates a results folder at random, and says what it did."""

    results: Path
    victim: Path  #: a folder beside it that nobody may touch, with files in it
    canary: int  #: a process that nobody may signal
    random: random.Random
    done: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)  #: words by which a sentence may name it
    signed: bool = False  #: whether a forged content has a fitting checksum: equal is no promise

    def mutate(self, times: int) -> None:
        """Do so many things to the folder."""
        for _ in range(times):
            action = self.random.choice(ACTIONS)
            path = self._pick(action)
            if path is None:
                continue
            self.touched |= self._words(path)
            detail = action(self, path) or ""
            self.done.append(
                f"{action.__name__} {path.relative_to(self.results)} {detail}".rstrip()
            )

    def _pick(self, action: Callable[..., object]) -> Path | None:
        inside = sorted(self.results.rglob("*"))
        if action in (link_folder, delete_folder):
            fitting = [p for p in inside if p.is_dir() and not p.is_symlink()]
        else:
            fitting = [p for p in inside if p.is_file() and not p.is_symlink()]
            if action is wrong_type:
                fitting = [p for p in fitting if p.suffix in (".json", ".jsonl")]
            if action is forge_process:
                names = ("events.jsonl", "handle.json", "pulse.json")
                fitting = [p for p in fitting if p.name in names or "lock" in p.name]
        if not fitting:
            return None
        name = self.random.choice(sorted({_kind(p) for p in fitting}))  # rare files as often
        return self.random.choice([p for p in fitting if _kind(p) == name])

    def _words(self, path: Path) -> set[str]:
        parts = path.relative_to(self.results).parts
        return {path.name, *(p[:10] for p in parts if len(p) == 64), *(p[:10] for p in parts[1:2])}


def _kind(path: Path) -> str:
    return path.name if len(path.name) < 40 else "of one job or study"


def _replaced(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def link_file(forger: Forger, path: Path) -> str:
    targets = [forger.victim / "file", forger.victim / "absent", Path("/dev/zero"), path]
    target = forger.random.choice([*targets, forger.victim])
    _replaced(path)
    path.symlink_to(target)
    return f"-> {target.name}"


def link_folder(forger: Forger, path: Path) -> None:
    """A link to a folder like the one that stood there, so that following it would work."""
    copy = forger.victim / f"copy-{len(forger.done)}"
    path.rename(copy)  # with the pipes that an earlier mutation left in it
    path.symlink_to(copy)


def fifo(_: Forger, path: Path) -> None:
    _replaced(path)
    os.mkfifo(path)


def folder_instead(_: Forger, path: Path) -> None:
    _replaced(path)
    path.mkdir()


def delete(_: Forger, path: Path) -> None:
    path.unlink()


def delete_folder(_: Forger, path: Path) -> None:
    shutil.rmtree(path)


def empty(_: Forger, path: Path) -> None:
    path.write_bytes(b"")


def enormous(_: Forger, path: Path) -> None:
    """A file with a hole of 1 TiB."""
    os.truncate(path, 2**40)


def cut(forger: Forger, path: Path) -> str:
    size = forger.random.randrange(path.stat().st_size + 1)
    os.truncate(path, size)
    return f"at {size}"


def flip(forger: Forger, path: Path) -> str:
    content = bytearray(path.read_bytes())
    if not content:
        return "empty"
    place = forger.random.randrange(len(content))
    bit = forger.random.randrange(8)
    content[place] ^= 1 << bit
    times = path.stat()
    path.write_bytes(content)
    if forger.random.random() < 0.5:  # as a rotten disk does it: size and time stay
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return f"bit {bit} of byte {place}"


def garbage(forger: Forger, path: Path) -> None:
    path.write_bytes(forger.random.randbytes(forger.random.randrange(3000)))


def deep(_: Forger, path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def wrong_type(forger: Forger, path: Path) -> str:
    """A value of another type in a field; the checksum fits, half of the time."""
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    number = forger.random.randrange(len(lines))
    try:
        content = json.loads(lines[number])
    except (ValueError, RecursionError):
        return "no JSON any more"
    places = list(_places(content))
    if not places:
        return "no field"
    holder, key = forger.random.choice(places)
    holder[key] = forger.random.choice(ODD_VALUES)
    where = f"{key} = {holder[key]!r:.40}"
    if isinstance(content, dict) and "checksum" in content and forger.random.random() < 0.5:
        content.pop("checksum")
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        content["checksum"] = hashlib.sha256(canonical.encode()).hexdigest()
        forger.signed = True
        where += ", signed"
    lines[number] = json.dumps(content)
    path.write_text("\n".join(lines) + "\n")
    return where


def forge_process(forger: Forger, path: Path) -> str:
    """A process of this machine in every field that may hold one."""
    pid = forger.random.choice([forger.canary, forger.canary, 1, 0, -1, 2**31, os.getpid()])
    host = socket.gethostname()
    claim: dict[str, object] = {"pid": pid, "host": host, "process_start": _start_of(pid)}
    if path.name == "events.jsonl":
        run = path.parent
        if forger.random.random() < 0.7:  # an attempt that seems to run
            (run / "result.json").unlink(missing_ok=True)
        event = {"event": "started", "attempt": 2, "time": 1e9, "device": "cpu", "threads": 1}
        with path.open("a") as file:
            file.write(json.dumps({**event, **claim}) + "\n")
        for name in ("lock", "lock.lease-000002"):
            if not (run / name).is_symlink() and not (run / name).is_dir():
                (run / name).write_text(json.dumps(_lease(claim)))
    else:
        path.write_text(json.dumps(_lease(claim)))
    return f"pid {pid}"


def _lease(claim: dict[str, object]) -> dict[str, object]:
    more = {"number": 2, "token": "t", "beat": 1, "released": False, "since": 0.0, "command": "x"}
    return {**claim, **more, "step": 5, "epoch": 1, "time": 1e9, "attempt": 2}


def _start_of(pid: int) -> float:
    import psutil

    from ablate.store.processes import process_start

    try:
        return process_start(pid) or 0.0
    except (psutil.Error, ValueError, OverflowError, OSError):
        return 0.0


def _places(content: Any) -> Any:
    """Every (holder, key) of a JSON value."""
    if isinstance(content, dict):
        pairs = list(content.items())
    elif isinstance(content, list):
        pairs = list(enumerate(content))
    else:
        return
    for key, value in pairs:
        yield content, key
        yield from _places(value)


ACTIONS: tuple[Callable[[Forger, Path], str | None], ...] = (
    link_file, link_folder, fifo, folder_instead, delete, delete_folder, empty, enormous, cut,
    flip, flip, flip, garbage, deep, wrong_type, wrong_type, wrong_type, wrong_type,
    forge_process, forge_process,
)  # fmt: skip
