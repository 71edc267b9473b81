"""Plan documents: ablations in prose, in Markdown or JSON, read without changing a word.

A plan in Markdown is a heading per ablation and a list of its fields:

    ### Study of the dictionary's size
    - **Ablated Part**: Size of the dictionary (N)
    - **Action**: REPLACE
    - **Replacement**:
      - 1024
      - 4096
    - **Metrics**: Top-1 accuracy (%)

Around it may stand anything: reasoning, HTML, code fences. The same fields as JSON are `name`,
`ablated_part`, `action`, `replacement` and `metrics`.
"""

from __future__ import annotations

import codecs
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ablate.errors import InputError, Problem

MOST_BYTES = 16 * 2**20  #: of a document; a plan is a few pages

#: Field -> how a document and a message call it.
FIELDS = {
    "ablated_part": "Ablated Part",
    "action": "Action",
    "replacement": "Replacement",
    "metrics": "Metrics",
}
_RIGHT = (
    'a heading per ablation, and below it a list: "- **Ablated Part**: ...", '
    '"- **Action**: REPLACE, REMOVE or ADD", "- **Replacement**: ...", "- **Metrics**: ..."'
)
_NEEDED = ("ablated_part", "action")  #: without these there is nothing to look up
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


@dataclass(frozen=True)
class PlannedAblation:
    """One ablation in the plan's own characters, white space at the ends left out."""

    line: int  #: of its heading or its JSON object, from 1
    name: str
    ablated_part: str = ""
    action: str = ""
    replacement: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    rationale: str = ""  #: what the document says of why


@dataclass(frozen=True)
class PlanDocument:
    """A document, the ablations that it plans, and what a reader should know of how it was read."""

    name: str  #: the file's name
    sha256: str
    ablations: tuple[PlannedAblation, ...]
    notes: tuple[str, ...] = ()


@dataclass
class Fields:
    """The fields of one ablation while a document is read, and where each begins."""

    line: int
    name: str
    found: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def ablation(self) -> PlannedAblation:
        """All that was found; the fields of text have one entry each."""
        return PlannedAblation(
            self.line,
            self.name,
            ablated_part=self.text("ablated_part"),
            action=self.text("action"),
            replacement=tuple(self.found.get("replacement", ())),
            metrics=tuple(self.found.get("metrics", ())),
            rationale=self.text("rationale"),
        )

    def text(self, key: str) -> str:
        """A field of one entry; "" where it is missing."""
        return "".join(self.found.get(key, ()))


def read_plan(path: Path) -> PlanDocument:
    """Read a plan document.

    Raises InputError, which names document, line and section, for a file that cannot be read,
    holds no plan, or holds an ablation that lacks its part or its action.
    """
    content = _content(path)
    text, notes = _decode(content)
    ablations, more = parse_plan(text, str(path))
    digest = hashlib.sha256(content).hexdigest()
    return PlanDocument(path.name, digest, tuple(ablations), (*notes, *more))


def parse_plan(text: str, where: str) -> tuple[list[PlannedAblation], list[str]]:
    """The ablations that a text plans, and notes on what was passed over; `where` names it."""
    from ablate.study import plan_json, plan_markdown

    if plan_json.looks_like_json(text):
        sections = plan_json.sections(text, where)
        notes: list[str] = []
    else:
        sections, notes = plan_markdown.sections(text)
    if not sections:
        seen = "" if plan_json.looks_like_json(text) else plan_markdown.outline(text)
        raise InputError(Problem(where, "", f"holds no plan{seen}", _RIGHT))
    problems = [p for section in sections for p in (*section.problems, *_missing(section, where))]
    if problems:
        raise InputError(replace(problem, where=where) for problem in problems)
    notes += [f'"{section.name}": {note}' for section in sections for note in section.notes]
    return [section.ablation() for section in sections], notes


def section_problem(section: Fields, message: str, right: str = "", line: int = 0) -> Problem:
    """A problem of one ablation, at a line from 1; its document is named later."""
    name = " ".join(section.name.split()) or "no name"
    return Problem("", f'line {line or section.line}, "{name}"', message, right)


def split_metrics(text: str) -> list[str]:
    """Split a line of metrics at ", " outside of brackets; joined with it, it is the line again."""
    depth, parts = 0, [""]
    for piece in text.split(", "):
        if depth > 0:
            parts[-1] += f", {piece}"
        else:
            parts.append(piece)
        counts = Counter(piece)
        depth = max(0, depth + sum(counts[c] for c in "([{") - sum(counts[c] for c in ")]}"))
    return [part for part in parts[1:] if part.strip()]


def _missing(section: Fields, where: str) -> Iterable[Problem]:
    if not section.name:
        yield section_problem(section, "has no name", "a heading such as ### Study of the size")
    for key in _NEEDED:
        if not section.text(key):
            yield section_problem(section, f"has no {FIELDS[key]}", f"- **{FIELDS[key]}**: ...")


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(Problem(str(path), "", "is a folder", f"{path}/*.md"))
        if path.exists() and not path.is_file():
            raise InputError(Problem(str(path), "", "is no regular file"))
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputError(Problem(str(path), "", "no such file")) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        text = getattr(error, "strerror", None) or str(error)
        raise InputError(Problem(str(path), "", f"cannot be read: {text}")) from None
    if len(content) > MOST_BYTES:
        message = f"is larger than {MOST_BYTES // 2**20} MiB, so it is no plan"
        raise InputError(Problem(str(path), "", message))
    return content


def _decode(content: bytes) -> tuple[str, list[str]]:
    """The document's text, and a note where its encoding is a guess."""
    for mark, name in _BOMS:
        if content.startswith(mark):
            encoding = "utf-8-sig" if name == "utf-8" else name
            return content.decode(encoding, errors="replace"), []
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError as error:
        note = f"not UTF-8 (byte {error.start}); read as Windows-1252"
    try:
        return content.decode("cp1252"), [note]
    except UnicodeDecodeError:
        return content.decode("latin-1"), [note.replace("Windows-1252", "Latin-1")]
