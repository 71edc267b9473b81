"""A user's own images: PATH/train/CLASS/… and PATH/val/CLASS/…, as ImageNet is laid out.

What counts as an image is what Pillow opens. What is ignored is named, and what can't be meant is
an error: one class, a class of one split only, a link that leads nowhere, out, or in circles.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from operator import methodcaller
from pathlib import Path

from ablate.errors import InputError, Problem
from ablate.methods.file_digests import combined, file_digests

LAYOUT = "PATH/train/CLASS/*.png and PATH/val/CLASS/*.png"
_TEST_SPLITS = ("val", "test")  #: the first that is there is the test split
_MOST_PROBLEMS = 20
_MOST_CHECKED = 100_000  #: images that are opened before anything runs, a second for thousands

#: Formats that Pillow only passes on to other programs, or that hold no picture.
_NOT_READ = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})


@dataclass(frozen=True)
class FolderSplit:
    """The images of one split, in the order in which they are decoded."""

    name: str  #: of its folder: "train", "val", "test"
    images: tuple[str, ...]  #: paths below the root, class by class
    labels: tuple[int, ...]  #: number of each image's class


@dataclass(frozen=True)
class ImageFolder:
    """What an image folder holds, found without decoding an image."""

    root: Path
    classes: tuple[str, ...]  #: names of the class folders, sorted; a label counts from 0
    train: FolderSplit
    test: FolderSplit
    notes: tuple[str, ...]  #: what was counted and what was ignored, as sentences

    def content(self) -> str:
        """SHA-256 (hex) over paths below the root and the content of all images.

        Raises `InputError` for a file that can't be read, and for all that are no images, as far
        as their heads and checksums tell; those of a very large folder are not looked at.
        """
        names = [*self.train.images, *self.test.images]
        faults: dict[str, str] = {}

        def is_sound(path: Path | str) -> bool:
            if fault := _fault_of_image(path):
                faults[str(path)] = fault
            return not fault

        paths = [self.root / name for name in names]
        try:
            few = len(names) <= _MOST_CHECKED
            digests = file_digests(paths, is_sound) if few else file_digests(paths)
        except OSError as error:
            problem = Problem("data", str(error.filename), f"can't be read: {error.strerror}")
            raise InputError(problem) from error
        if faults:
            raise InputError(_listed(self.root, faults))
        return combined(dict(zip(names, digests, strict=True)))


def read_image_folder(root: Path) -> ImageFolder:
    """Find classes and images below `root`; `InputError` holds all that is wrong with it."""
    findings = _Findings(root)
    splits = {split: findings.classes_of(split) for split in _split_names(root)}
    if problems := findings.problems + _compared(root, splits):
        raise InputError(_first(root, problems))
    classes = tuple(sorted(next(iter(splits.values()))))
    train, test = (_split(name, images) for name, images in splits.items())
    notes = [_counted(name, images) for name, images in splits.items()]
    return ImageFolder(root, classes, train, test, (*notes, *findings.notes()))


def _first(root: Path, problems: list[Problem]) -> list[Problem]:
    """The first problems, and how many more there are."""
    more = len(problems) - _MOST_PROBLEMS
    rest = [Problem("data", str(root), f"and {more} more problems")] if more > 0 else []
    return problems[:_MOST_PROBLEMS] + rest


def _listed(root: Path, faults: Mapping[str, str]) -> list[Problem]:
    """Problems of files that are no images; path -> what is wrong with it."""
    return _first(root, [
        Problem("data", str(root), f"{path} is no image that can be used: {fault}",
                "repair or remove it")
        for path, fault in sorted(faults.items())
    ])  # fmt: skip


def _fault_of_image(path: Path | str) -> str:
    """Why Pillow opens a file as no image, "" if it does.

    One whose checksums are wrong is decoded, as what is wrong may lie behind the pixels.
    """
    from PIL import Image

    fault = ""
    for look in (methodcaller("verify"), methodcaller("load")):
        try:
            with Image.open(path, formats=_readable()[1]) as image:
                look(image)
            return ""
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            words = " ".join(str(error).split()).replace(f" {str(path)!r}", "")
            fault = words or type(error).__name__
    return fault


def _split_names(root: Path) -> tuple[str, str]:
    there = [name for name in _TEST_SPLITS if (root / name).is_dir()]
    return "train", there[0] if there else _TEST_SPLITS[0]


def _split(name: str, images: dict[str, list[str]]) -> FolderSplit:
    labelled = [(path, label) for label, key in enumerate(sorted(images)) for path in images[key]]
    return FolderSplit(
        name, tuple(path for path, _ in labelled), tuple(label for _, label in labelled)
    )


def _counted(name: str, images: dict[str, list[str]]) -> str:
    counts = [len(paths) for paths in images.values()]
    low, high = min(counts), max(counts)
    each = f"{low:,} a class" if low == high else f"{low:,} to {high:,} a class"
    return f"{name}: {len(counts):,} classes, {sum(counts):,} images ({each})"


def _compared(root: Path, splits: dict[str, dict[str, list[str]]]) -> list[Problem]:
    """Problems of the two splits together; none where one of them is missing."""
    if not all(splits.values()):
        return []
    (one, first), (other, second) = splits.items()
    problems = []
    for label in sorted(first.keys() ^ second.keys()):
        has, lacks = (one, other) if label in first else (other, one)
        message = f'class "{label}" is in {has}, not in {lacks}'
        problems.append(Problem("data", str(root), message, "the same classes in both"))
    if not problems and len(first) == 1:
        message = f'has one class, "{next(iter(first))}", which leaves nothing to learn'
        problems.append(
            Problem("data", str(root), message, "a folder for each of 2 or more classes")
        )
    return problems


@dataclass
class _Findings:
    """Walks through the folder; gathers what is wrong and what is ignored."""

    root: Path
    problems: list[Problem] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)  #: kind of file -> files
    hidden: list[str] = field(default_factory=list)  #: folders
    real_root: str = ""

    def __post_init__(self) -> None:
        self.real_root = os.path.realpath(self.root)

    def notes(self) -> Iterator[str]:
        """What was ignored, and why."""
        if self.ignored:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.ignored.items()))
            yield f"ignored: {kinds}"
        if self.hidden:
            shown = ", ".join(self.hidden[:5]) + (" …" if len(self.hidden) > 5 else "")
            yield f"hidden folders ignored: {shown}"
        if all((self.root / name).is_dir() for name in _TEST_SPLITS):
            yield "folder test ignored, since there is val"

    def classes_of(self, split: str) -> dict[str, list[str]]:
        """Class -> its images' paths below the root, sorted."""
        folder = self.root / split
        if not folder.is_dir():
            self._problem(f"no folder {folder}", LAYOUT)
            return {}
        images: dict[str, list[str]] = {}
        for entry in self._entries(folder, [self.real_root]):
            if entry.is_dir():
                real = [self.real_root, os.path.realpath(folder), os.path.realpath(entry.path)]
                images[entry.name] = sorted(self._images(Path(entry.path), real))
            else:
                self.ignored[f"beside the class folders of {split}"] += 1
        if not images:
            self._problem(f"no class folders in {folder}", LAYOUT)
        for label in sorted(label for label, paths in images.items() if not paths):
            self._problem(f"no images in {folder / label}", "images that Pillow opens")
        return images

    def _images(self, folder: Path, above: list[str]) -> Iterator[str]:
        """Images below a folder; `above` are the real paths of the folders that led there."""
        for entry in self._entries(folder, above):
            if entry.is_dir():
                yield from self._images(Path(entry.path), [*above, os.path.realpath(entry.path)])
            elif not entry.is_file():
                self._problem(f"{entry.path} is no regular file", "remove it")
            elif _is_image(entry):
                yield os.path.relpath(entry.path, self.root)
            else:
                ending = Path(entry.name).suffix.lower()
                self.ignored[f"{ending or 'other'} (Pillow does not open them)"] += 1

    def _entries(self, folder: Path, above: list[str]) -> Iterator[os.DirEntry[str]]:
        """What lies in a folder, without what is hidden and without links that lead astray."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self._problem(f"{folder} can't be read: {error.strerror}")
            return
        for entry in entries:
            if entry.is_symlink() and (fault := self._fault_of_link(entry.path, above)):
                self._problem(f"{entry.path} {fault}", "remove the link, or put the files there")
            elif not entry.name.startswith("."):
                yield entry
            elif entry.is_dir():
                self.hidden.append(os.path.relpath(entry.path, self.root))
            else:
                self.ignored["hidden"] += 1

    def _fault_of_link(self, path: str, above: list[str]) -> str:
        try:
            real = os.path.realpath(path, strict=True)
        except OSError as error:
            target = Path(path).readlink()
            if error.errno == errno.ELOOP:
                return f"is a link in a circle ({target})"
            return f"is a link to {target}, which is not there"
        if real != self.real_root and not real.startswith(self.real_root + os.sep):
            return f"is a link out of the folder, to {real}"
        return f"is a link in a circle, back to {real}" if real in above else ""

    def _problem(self, message: str, right: str = "") -> None:
        self.problems.append(Problem("data", str(self.root), message, right))


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Whether Pillow opens a file: by its ending, else by its first bytes."""
    from PIL import Image

    endings, formats = _readable()
    if Path(entry.name).suffix.lower() in endings:
        return True
    try:
        with Image.open(entry.path, formats=formats):
            return True
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


@cache
def _readable() -> tuple[frozenset[str], tuple[str, ...]]:
    """Endings of files, and formats, that Pillow decodes by itself."""
    from PIL import Image

    registered = Image.registered_extensions()  # which loads all of Pillow's readers
    formats = tuple(name for name in sorted(Image.OPEN) if name not in _NOT_READ)
    return frozenset(ending for ending, name in registered.items() if name in formats), formats
