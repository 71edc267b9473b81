"""`ablate doctor`: what of this machine and this folder a study needs, and what is missing."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.common import DebugOption, JsonOption, ResultsOption, guarded, results_folder, tell
from ablate.errors import AblateError, InputError, StoreError

if TYPE_CHECKING:
    from ablate.study.settings import Settings

_GIB = 2**30
_LOW_DISK = 5 * _GIB  #: below this a study of checkpoints may fill the disk
_SELF_TEST_S = 300  #: torch on a network drive takes minutes to load


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"  #: studies run, but something may surprise
    PROBLEM = "problem"  #: no study runs until it is mended


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    remedy: str = ""


@guarded
def doctor(
    results: ResultsOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what has to load torch.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check Python, torch, packages, devices, data, results and disk, and say what mends them.

    Example: ablate doctor

    Exit code 1: at least one problem.
    """
    torch = [] if quick else _of_torch()
    checks = [*_of_machine(), *torch, *_of_packages(), *_of_folder(results)]
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            tell(f"{check.state:8} {check.name:16} {check.found}")
            if check.remedy:
                tell(f"{'':25} {check.remedy}")
    raise typer.Exit(int(any(check.state is State.PROBLEM for check in checks)))


def _of_machine() -> Iterator[Check]:
    from ablate.execute.launch.limits import available_cores, limits
    from ablate.execute.provenance import provenance

    facts = provenance()
    yield Check("python", State.OK, f"{platform.python_version()} on {platform.platform()}")
    yield Check("cores", State.OK, f"{available_cores()} usable")
    limit = limits().memory_bytes
    text = f"limited to {limit / _GIB:.1f} GiB by the container" if limit else "no container limit"
    yield Check("memory", State.OK, text)
    git = facts.get("git")
    if git is None:
        remedy = "git init, so that each result names the commit it came from"
        yield Check("git", State.WARNING, "this folder is no repository", remedy)
    else:
        changed = "changes" in git
        remedy = "commit them: results name the commit only" if changed else ""
        yield Check("git", State.WARNING if changed else State.OK, git, remedy)


def _of_torch() -> Iterator[Check]:
    command = [sys.executable, "-m", "ablate.training.self_test"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SELF_TEST_S, check=False
        )
        found = json.loads(done.stdout) if done.returncode == 0 else {}
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        found, last = {}, str(error)
    if not found:
        yield Check("torch", State.PROBLEM, last, "pip install --force-reinstall torch torchvision")
        return
    build = f"CUDA {found['cuda']}" if found["cuda"] else "CPU only"
    yield Check("torch", State.OK, f"{found['torch']}, {build}")
    yield from _of_gpus(found["gpus"])
    for device, same in found["repeats"].items():
        text = (
            "a resumed run repeats the whole one to the bit"
            if same
            else "a resumed run differs from an uninterrupted one"
        )
        remedy = "" if same else "compare runs of this device with `ablate verify STUDY` first"
        state = State.OK if same else State.WARNING
        yield Check(f"bits on {device}", state, text, remedy)


def _of_gpus(gpus: list[dict[str, Any]]) -> Iterator[Check]:
    for index, gpu in enumerate(gpus):
        free, total = gpu["free"] / _GIB, gpu["total"] / _GIB
        text = f"{gpu['name']}, {free:.1f} of {total:.1f} GiB free"
        busy = free < total / 4
        remedy = "another program holds most of its memory: nvidia-smi" if busy else ""
        yield Check(f"cuda:{index}", State.WARNING if busy else State.OK, text, remedy)
    if not gpus:
        yield Check("gpu", State.OK, "none; jobs run on the CPU")


def _of_packages() -> Iterator[Check]:
    """Installed packages that bring methods, networks or data sets; none of them is imported."""
    from ablate.methods.places import (
        DATA_PLACES,
        METHOD_PLACES,
        NETWORK_PLACES,
        UNCLEAR,
        package,
    )

    kinds = {"method": METHOD_PLACES, "network": NETWORK_PLACES, "data set": DATA_PLACES}
    brought: dict[str, list[str]] = {}
    clashes: dict[str, set[str]] = {}
    for kind, places in kinds.items():
        for entry in places.declared():
            brought.setdefault(package(entry), []).append(f"{kind} {entry.name}")
            clashes.setdefault(package(entry), set()).add(places.clashes(entry.name))
    for name, things in sorted(brought.items()):
        unclear = sorted(clashes[name] - {""})
        found = "; ".join([f"brings {', '.join(things)}", *unclear])
        state = State.WARNING if unclear else State.OK
        yield Check(f"package {name}", state, found, UNCLEAR if unclear else "")


def _of_folder(results: str | None) -> Iterator[Check]:
    """ablate.toml and what it names."""
    from ablate.study.settings import find_settings, load_settings

    try:
        file = find_settings(Path())
        settings = load_settings(file)
    except InputError as error:
        yield Check("ablate.toml", State.PROBLEM, str(error), "ablate init")
        return
    yield Check("ablate.toml", State.OK, str(file))
    yield from _checked("devices", lambda: _devices(settings))
    yield from _of_data(settings)
    folder = results_folder(results, settings)
    yield _results(folder)
    yield _disk(folder)


def _checked(name: str, look: Callable[[], str]) -> Iterator[Check]:
    try:
        yield Check(name, State.OK, look())
    except AblateError as error:
        yield Check(name, State.PROBLEM, str(error), "mend [execution] in ablate.toml")


def _devices(settings: Settings) -> str:
    from ablate.execute.launch.devices import find_devices

    devices = find_devices(settings.execution)
    return ", ".join(f"{device.name} ({device.slots or 'as many as fit'})" for device in devices)


def _of_data(settings: Settings) -> Iterator[Check]:
    from ablate.methods.catalog import data_info

    profiles = {name: profile for name, profile in settings.profiles.items() if profile.data}
    for name, profile in profiles.items():
        label = f"data of {name}"
        try:
            info = data_info(profile.data)
        except InputError as error:
            yield Check(label, State.PROBLEM, str(error), f"profiles.{name}.data in ablate.toml")
            continue
        yield _data_files(label, info.title, profile.data, settings.path(settings.data_dir))
    if settings.teacher_checkpoints:
        folder = settings.path(settings.teacher_checkpoints)
        count = len(list(folder.glob("*_vanilla/*.pth"))) if folder.is_dir() else 0
        text = f"{count} checkpoint{'s' * (count != 1)} in {folder}"
        remedy = "" if count else "it should hold <network>_vanilla/*.pth"
        yield Check("teachers", State.OK if count else State.WARNING, text, remedy)


def _data_files(label: str, title: str, name: str, data_dir: Path) -> Check:
    """Whether the files of a data set are there and as long as they must be."""
    from ablate.methods.catalog import DATASETS, split_subset
    from ablate.methods.data_files import find_files, seem_sound

    whole = split_subset(name)[0]
    if whole == "digits" or whole not in DATASETS:  # a dependency's, or the user's own files
        return Check(label, State.OK, title)
    files = find_files(DATASETS[whole], data_dir)
    if seem_sound(DATASETS[whole], data_dir):
        return Check(label, State.OK, f"{title}: {files[0].parent}")
    if files:
        text = f"{title}: {files[0].parent} holds damaged files or those of another set"
        return Check(label, State.PROBLEM, text, "remove them, or put a sound copy there")
    text = f"{title}: not in {data_dir} yet; it is downloaded at its first use"
    return Check(label, State.WARNING, text, "without a network, put a copy there")


def _results(folder: Path) -> Check:
    from ablate.store.index import Index

    if not any((folder / name).exists() for name in ("runs", "studies", "ablate.db")):
        return Check("results", State.OK, f"nothing has been run in {folder} yet")
    try:
        with Index.open(folder) as index:
            return Check("results", State.OK, f"{folder}: {index.count_jobs()} jobs")
    except StoreError as error:
        return Check("results", State.PROBLEM, str(error), "`ablate reindex` makes the index anew")


def _disk(folder: Path) -> Check:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    low = free < _LOW_DISK
    remedy = "results in another place: results = ... in ablate.toml" if low else ""
    state = State.WARNING if low else State.OK
    return Check("disk", state, f"{free / _GIB:.1f} GiB free at {there}", remedy)
