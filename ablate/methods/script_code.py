"""What a script's jobs are known by: what its declaration makes it compute, and its code.

Files count byte by byte. Labels, help and progress patterns don't count: they change no result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path

from ablate.errors import InputError, Problem
from ablate.methods.file_digests import file_digests
from ablate.methods.script import Script
from ablate.methods.script_file import read_script

_SKIPPED = ("__pycache__",)


def script_digests(path: Path) -> dict[str, str]:
    """Digest of each section of a declaration, and of each file of its code, by name.

    Raises InputError if a file that it names as code is not there.
    """
    script = read_script(path).script
    files = code_files(script, path)
    digests = file_digests(list(files.values()))
    declared = {f"{name} of {path.name}": one for name, one in _declared(script).items()}
    return {**declared, **dict(zip(files, digests, strict=True))}


def code_files(script: Script, path: Path) -> dict[str, Path]:
    """Name -> file of all that is a script's code; `path` is its declaration."""
    if script.git:
        return {name: path.parent / name for name in _tracked(path)}
    found: dict[str, Path] = {}
    for i, pattern in enumerate(script.code):
        files = [file for place in path.parent.glob(pattern) for file in _files(place)]
        if not files:
            message = f'no file "{pattern}"'
            raise InputError(Problem(str(path), f"code[{i}]", message, f"below {path.parent}"))
        found |= {str(file.relative_to(path.parent)): file for file in files}
    return dict(sorted(found.items()))


def _files(place: Path) -> list[Path]:
    """A file, or all files below a folder but hidden and compiled ones."""
    if not place.is_dir():
        return [place]
    below = (file for file in place.rglob("*") if file.is_file())
    return [
        file
        for file in below
        if not any(
            part.startswith(".") or part in _SKIPPED for part in file.relative_to(place).parts
        )
    ]


def _tracked(path: Path) -> list[str]:
    """Files below the declaration's folder that git tracks and that are there."""
    command = ["git", "-C", str(path.parent), "ls-files", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        message = f"git lists no files: {said.decode(errors='replace').strip()}"
        raise InputError(Problem(str(path), "code", message, "a list of files")) from None
    names = (name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name)
    found = sorted(name for name in names if (path.parent / name).is_file())
    if not found:
        raise InputError(Problem(str(path), "code", f"git tracks no file below {path.parent}"))
    return found


def _declared(script: Script) -> dict[str, str]:
    """Digest of all that a declaration makes its script do, by what a reason for a job names."""
    stages = {name: dataclasses.asdict(stage) for name, stage in script.stages.items()}
    for stage in stages.values():
        del stage["progress"]
    passing = {name: dataclasses.asdict(one) for name, one in script.passing.items()}
    measures = {name: dataclasses.asdict(one) for name, one in script.measures.items()}
    sections = {"commands": stages, "parts": passing, "metrics": measures}
    texts = {name: json.dumps(content, sort_keys=True) for name, content in sections.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
