"""The pairs of a study: networks looked up, the user's checkpoints found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import Problem, Remedy, did_you_mean
from ablate.methods.catalog import NETWORKS, PACKAGE_NETWORKS
from ablate.methods.file_digests import file_digest
from ablate.methods.method import Method
from ablate.methods.places import NETWORK_PLACES, UNCLEAR
from ablate.methods.registry import is_file
from ablate.methods.session import STUDENT_ROLE, TEACHER_ROLE
from ablate.methods.teachers import TEACHER
from ablate.study.model import PairEntry
from ablate.study.parse import Study
from ablate.study.settings import FILE_NAME, Settings, user_path

SUBJECT = "subject"  #: the role of what a pair names where a method has no networks


_MOST_FOLDERS = 8  #: of teachers' weights that a notice lists


@dataclass(frozen=True)
class Pair:
    """A teacher and its student, and the teacher's weights where the user has them.

    A network of the user's own is an `OwnNetwork`: a str that carries facts, which a copy made as
    plain text loses.
    """

    teacher: str = ""
    student: str = ""
    checkpoint: tuple[str, Path] | None = None  #: (SHA-256, path)
    without_weights: str = ""  #: why it has none, where there is a folder of teachers' weights
    label: str = ""  #: as tables print it where it names no networks

    @property
    def name(self) -> str:
        """As tables print it."""
        named = f"{self.teacher}/{self.student}" if self.teacher else self.student
        return self.label or named

    def networks(self, method: Method) -> dict[str, str]:
        """Role -> network, of the roles that a method has; of plain names, "subject"."""
        named = {TEACHER_ROLE: self.teacher, STUDENT_ROLE: self.student}
        if not method.roles:
            return {} if self.label else {SUBJECT: self.name}
        return {role: named.get(role, "") for role in method.roles}


def find_pairs(
    study: Study, methods: Sequence[Method], settings: Settings, profile: str
) -> list[Pair]:
    """The study's pairs under the profile; what is wrong goes to the study's problems.

    `methods`: the study's own first, then those for reference. Pairs of other profiles are looked
    up, too, but their files need not be there.
    """
    method = methods[0]
    sections = study.file.sections()
    active = f"profiles.{profile}."
    if active not in sections or sections[active].pairs is None:
        active = ""
    use = any(m.needs_teacher or m.name == TEACHER.name for m in methods)
    chosen: list[Pair] = []
    for prefix, section in sections.items():
        key = f"{prefix}pairs"
        listed = [(f"{key}[{i}]", p) for i, p in enumerate(section.pairs or []) if p is not None]
        for place, pair in listed:
            sound = _is_sound(study, methods, place, pair)
            if prefix == active and sound:
                taught = use and pair.teacher
                weights = _checkpoint(study, settings, place, pair) if taught else None
                why = _without_weights(settings, pair) if taught and not weights else ""
                chosen.append(Pair(pair.teacher, pair.student, weights, why))
        _once(study, listed)
        missing = prefix == active and method.roles and not section.pairs
        if missing and key not in {problem.key for problem in study.problems}:
            what = "is missing" if section.pairs is None else "is empty"
            study.problem(key, what, '["teacher/student"]')
    if not chosen and not method.roles:
        return [Pair(label=method.title)]
    return chosen


def _is_sound(study: Study, methods: Sequence[Method], key: str, pair: PairEntry) -> bool:
    if not methods[0].roles:
        return True
    networks = re.findall(r"\w+", pair.student)
    if not pair.teacher and len(networks) > 1 and all(map(NETWORK_PLACES.knows, networks)):
        right = f'"teacher/student": "{networks[0]}/{networks[1]}"'
        study.problem(key, f'"{pair.student}" is no pair', right)
        return False
    found = len(study.problems)
    needing = [method.name for method in methods if method.needs_teacher and method != TEACHER]
    if not pair.teacher and needing:
        message = f"has no teacher, which {needing[0]} needs"
        study.problem(key, message, f'"TEACHER/{pair.student}"')
    for name in [pair.teacher] * bool(pair.teacher) + [pair.student]:
        if clash := NETWORK_PLACES.clashes(name):
            study.problem(key, clash, UNCLEAR)
        elif not study.file.networks and not NETWORK_PLACES.knows(name):
            study.problem(key, f'no network "{name}"', _known_networks(name))
    return len(study.problems) == found


def _known_networks(name: str) -> str:
    """Networks whose names are near this one; an installed package may bring more."""
    right = did_you_mean(name, list(PACKAGE_NETWORKS))
    if "did you mean" not in right:  # ours first: torchvision's have names like theirs
        others = {network: network for network in (*NETWORKS, *NETWORK_PLACES.installed())}
        right = did_you_mean(name, list(PACKAGE_NETWORKS), others)
    listing = f"`{Remedy('parts', ('--networks',))}` lists all"
    if "did you mean" in right:
        return f"{right}; {listing}"
    return f"{right}; {listing}; or install the package that brings it"


def _once(study: Study, listed: Sequence[tuple[str, PairEntry]]) -> None:
    seen: dict[str, str] = {}
    for key, pair in listed:
        if pair.name in seen:
            study.problem(key, f'"{pair.name}" is {seen[pair.name]} already', "each pair once")
        seen.setdefault(pair.name, key)


def _without_weights(settings: Settings, pair: PairEntry) -> str:
    """That the configured folder has no weights of a teacher, and what it has; "" without one."""
    if not settings.teacher_checkpoints:
        return ""
    folder = settings.path(settings.teacher_checkpoints)
    there = sorted({file.parent.name for file in folder.glob("*_vanilla/*.pth")})
    held = ", ".join(there[:_MOST_FOLDERS]) + (", …" if len(there) > _MOST_FOLDERS else "")
    return (
        f"teacher {pair.teacher} is trained here: teacher_checkpoints has no "
        f"{pair.teacher}_vanilla/*.pth, but {held or 'nothing of that kind'}"
    )


def _checkpoint(
    study: Study, settings: Settings, key: str, pair: PairEntry
) -> tuple[str, Path] | None:
    """(SHA-256, path) of the teacher's weights, or None to train the teacher."""
    if pair.teacher_checkpoint:
        path = (study.path.parent / user_path(pair.teacher_checkpoint)).resolve()
        if is_file(path):
            return file_digest(path), path
        message = f"no teacher checkpoint {path}"
        study.problem(f"{key}.teacher_checkpoint", message, "relative to the study file")
        return None
    if not settings.teacher_checkpoints:
        return None
    folder = settings.path(settings.teacher_checkpoints)
    where = FILE_NAME, "teacher_checkpoints"
    if not folder.is_dir():
        right = "it holds <network>_vanilla/*.pth"
        study.problems.append(Problem(*where, f"no folder {folder}", right))
        return None
    found = sorted((folder / f"{pair.teacher}_vanilla").glob("*.pth"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        message = f"several checkpoints in {found[0].parent}: {names}"
        study.problems.append(Problem(*where, message, "leave one there"))
    return (file_digest(found[0]), found[0]) if found else None
