"""Study files from plans: a safe name each, and no second file for an ablation that has one."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.study.plan_study import PlannedStudy
from ablate.study.plan_writing import method_name, study_text
from ablate.study.tomlfile import read_toml

_LONGEST_NAME = 80  #: characters of a study's file name
#: Names that another file has, or that some systems reserve.
_RESERVED = re.compile(r"ablate|pyproject|con|prn|aux|nul|com\d|lpt\d")
_PLAN_WORDS = ("ablated_part", "action", "replacement", "metrics", "rationale")


class FileState(StrEnum):
    """What an import finds where an ablation's study file belongs, and does there."""

    NEW = "new"  #: no file: it is written
    SAME = "same"  #: the same content
    EDITED = "edited"  #: the plan's words are the same, the rest differs: left as it is
    OUTDATED = "outdated"  #: of this ablation, in other words than the plan's: left as it is
    REPLACED = "replaced"  #: one of the last two, written anew

    @property
    def is_written(self) -> bool:
        """Whether the import writes the file."""
        return self in (FileState.NEW, FileState.REPLACED)

    @property
    def remark(self) -> str:
        """What a line about the file adds; "" for a new one."""
        return {
            FileState.NEW: "",
            FileState.SAME: "was there already",
            FileState.EDITED: "was there already and differs: left as it is; --replace writes it "
            "anew",
            FileState.OUTDATED: "of an earlier wording of the plan: left as it is; --replace "
            "writes it anew",
            FileState.REPLACED: "written anew",
        }[self]


@dataclass(frozen=True)
class StudyDraft:
    """The study file of an ablation: where it is, what it says, and what an import does there."""

    study: PlannedStudy
    path: Path
    text: str  #: of the file; "" where a file that differs is left as it is
    state: FileState = FileState.NEW
    open: tuple[str, ...] = ()  #: what the file leaves to decide

    @property
    def is_outdated(self) -> bool:
        """Whether the file says less, or other things, than the plan does now."""
        return self.state is FileState.OUTDATED


def file_name(name: str) -> str:
    """A safe file name without its ending: "study_of_lpred_symmetrization"."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = "_".join(re.findall(r"[a-z0-9]+", letters))[:_LONGEST_NAME].strip("_")
    return f"{words or 'ablation'}_study" if _RESERVED.fullmatch(words) else words or "ablation"


def place(
    studies: Iterable[PlannedStudy], folder: Path, *, replaces: bool = False
) -> list[StudyDraft]:
    """The file of each study: the one that an earlier import wrote, or a path that is free.

    `replaces`: a file of an earlier import that differs is to be written anew.
    """
    taken: set[Path] = set()
    drafts = []
    for study in studies:
        draft = _draft(study, folder, taken, replaces=replaces)
        taken.add(draft.path)
        drafts.append(draft)
    return drafts


def _draft(study: PlannedStudy, folder: Path, taken: set[Path], *, replaces: bool) -> StudyDraft:
    text = study_text(study, folder)
    *there, free = _paths(file_name(study.ablation.name), folder, taken)
    states = {path: _state(path, study, text) for path in there if path not in taken}
    for state in (FileState.SAME, FileState.EDITED, FileState.OUTDATED):
        path = next((path for path in there if states.get(path) is state), None)
        if path is None:
            continue
        if state is FileState.SAME:
            return StudyDraft(study, path, text, state, study.open)
        if replaces:
            return StudyDraft(study, path, text, FileState.REPLACED, study.open)
        left_open = _plan(read_toml(path)).get("open", [])
        return StudyDraft(study, path, "", state, tuple(map(str, left_open)))
    return StudyDraft(study, free, text, open=study.open)


def _paths(stem: str, folder: Path, taken: set[Path]) -> list[Path]:
    """The paths of this name that something has, and the first that nothing has."""
    paths: list[Path] = []
    for number in count(1):
        paths.append(folder / (f"{stem}_{number}.toml" if number > 1 else f"{stem}.toml"))
        if paths[-1] not in taken and not os.path.lexists(paths[-1]):
            break
    return paths


def _state(path: Path, study: PlannedStudy, text: str) -> FileState | None:
    """How a file stands to a study; None if it is not of the same ablation."""
    with suppress(OSError):
        if path.is_file() and path.read_bytes() == text.encode():
            return FileState.SAME
    try:
        data = read_toml(path)
    except InputError:
        return None
    plan, method = _plan(data), method_name(study.method, path.parent)
    named = (plan.get("document"), plan.get("name"), data.get("method"))
    if named != (study.document.name, study.ablation.name, method):
        return None
    words = [getattr(study.ablation, key) for key in _PLAN_WORDS]
    words = [list(one) if isinstance(one, tuple) else one for one in words]
    unchanged = words == [plan.get(key) for key in _PLAN_WORDS]
    return FileState.EDITED if unchanged else FileState.OUTDATED


def _plan(data: Mapping[str, Any]) -> Mapping[str, Any]:
    plan = data.get("plan")
    return plan if isinstance(plan, dict) else {}


def write(drafts: Sequence[StudyDraft]) -> None:
    """Write new and replaced study files; all is as it was if one can't be written."""
    written: list[Path] = []
    renames: list[tuple[Path, Path]] = []
    try:
        for draft in (draft for draft in drafts if draft.state.is_written):
            path = draft.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if draft.state is FileState.REPLACED:
                path = path.with_name(f".{path.name}.new")
                renames.append((path, draft.path))
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(draft.text)
        for temporary, path in renames:
            temporary.replace(path)
    except OSError as error:
        for one in written:
            one.unlink(missing_ok=True)
        message = f"cannot be written: {error.strerror or error}"
        raise InputError(Problem(str(path), "", message, "--to DIR")) from None
