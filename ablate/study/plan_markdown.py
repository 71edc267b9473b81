"""Plan documents in Markdown: a heading per ablation, a list of its fields below.

markdown-it-py says where headings, lists and their items begin and end; the text is then cut from
the source's own lines, so that code spans, tables, HTML and whatever else stands in a field come
out as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from textwrap import dedent
from typing import TYPE_CHECKING

from ablate.study.plan_document import FIELDS, Fields, section_problem, split_metrics
from ablate.study.plan_matching import one_line

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

_MOST_SEEN = 8  #: headings and tables that an error names
_TABLE_RULE = frozenset("|-: \t")  #: characters of the line below a table's columns
_LABEL = re.compile(r"[*_]*([^*_:：\n]{1,40})[*_]*[:：]")
_LINES = re.compile(r"\r\n?|\n")
_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])(?:\s+|$)")
_BOLD = r"(\*\*\*|\*\*|__|\*|_|)\s*{}\s*(?:\1\s*[:：]|[:：]\s*\1)\s*(.*)"
_FIELD = re.compile(
    _BOLD.format(r"(ablated[\s_-]+parts?|actions?|replacements?|metrics?)"), re.I | re.S
)
_OTHER = re.compile(_BOLD.format(r"([^*_:\n]{1,160}?)").replace("_|)", "_)"), re.S)
_WHY = re.compile(r"rationale|reason(ing)?|motivation|justification|hypothesis|why", re.I)
_PLAN = re.compile(r"\W*(?:\w+\s+)?ablation\s+plans?\W*", re.I)

#: Tags that stand in running text or hold what is no Markdown; all others only wrap lines.
_KEPT_TAGS = re.compile(
    r"a|abbr|b|bdi|bdo|br|cite|code|del|dfn|em|font|i|img|ins|kbd|mark|math|q|s|samp|small|span"
    r"|strike|strong|sub|sup|tt|u|var|style|script|textarea|svg",
    re.I,
)
_WRAPPERS = re.compile(
    r"article|aside|blockquote|body|center|details|div|dl|figure|footer|form|h[1-6]|head|header|hr"
    r"|html|main|nav|p|pre|section|summary|table|ul|ol",
    re.I,
)
_HTML_HEADING = re.compile(r"\s{0,3}<h([1-6])\b[^>]*>(.*?)</h\1>\s*", re.I)
_TAG = re.compile(r"</?([A-Za-z][\w:-]*)\b[^>]*>")
_THINK = re.compile(r"<(think(?:ing)?|reasoning)>.*?</\1>", re.I | re.S)
_FENCE = re.compile(r"(```|~~~)[\w-]*\s*")


def sections(text: str) -> tuple[list[Fields], list[str]]:
    """The ablations of a document in order, and notes on what was passed over."""
    lines = _LINES.split(text)
    shape = _shape(lines)
    found, plans = _read(shape)
    if not found:  # all of it may stand in a code fence
        shape = ["" if _FENCE.fullmatch(line) else line for line in shape]
        found, plans = _read(shape)
    notes = []
    after = [section for section in found if plans and section.line > plans[-1]]
    if after and len(after) < len(found):
        left = len(found) - len(after)
        notes.append(
            f"{left} section{'s' * (left > 1)} before the heading in line {plans[-1]} left out"
        )
        found = after
    _add_rationales(found, shape)
    return found, notes


def outline(text: str) -> str:
    """What a document without a plan has instead: headings, tables and lists with labels."""
    shape = _shape(_LINES.split(text))
    seen = [(_span(block)[0], _seen(block, shape)) for block in _blocks(shape)]
    for i, line in enumerate(shape[1:]):
        if {"|", "-"} <= set(line) <= _TABLE_RULE and "|" in shape[i]:
            columns = ", ".join(cell.strip() for cell in shape[i].strip(" |").split("|"))
            seen.append((i, f"a table with the columns {columns}"))
    named = [f"{words} in line {line + 1}" for line, words in sorted(seen) if words]
    if not named:
        return ": no heading, no table and no list of fields"
    more = f" and {len(named) - _MOST_SEEN} more" if len(named) > _MOST_SEEN else ""
    return f", but {'; '.join(one_line(one) for one in named[:_MOST_SEEN])}{more}"


def _seen(block: SyntaxTreeNode, shape: Sequence[str]) -> str:
    """A heading, or a list whose items have labels, as a message names it."""
    first, last = _span(block)
    if block.type == "heading":
        return f'the heading "{one_line(_heading(shape[first:last], block.markup), limit=80)}"'
    if block.type != "bullet_list":
        return ""
    found = (_LABEL.match(_cut(shape, *_span(item), bullet=True)) for item in block.children)
    labels = ", ".join(label[1].strip() for label in found if label)
    return f"a list of {labels}" if labels else ""


def _shape(lines: Sequence[str]) -> list[str]:
    """The lines with those blank that only wrap others, so that Markdown sees what is inside."""
    whole = "\n".join(lines)
    thought = _THINK.sub(lambda found: re.sub(r"[^\n]", "", found[0]), whole)
    lines = [_HTML_HEADING.sub(_as_markdown, line) for line in dedent(thought).split("\n")]
    return ["" if _wraps(line) else line for line in lines]


def _as_markdown(heading: re.Match[str]) -> str:
    return f"{'#' * int(heading[1])} {heading[2].strip()}"


def _wraps(line: str) -> bool:
    tag = _TAG.match(line)
    if tag is None or _KEPT_TAGS.fullmatch(tag[1]):
        return False
    return bool(_WRAPPERS.fullmatch(tag[1])) or not line[tag.end() :].strip()


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").disable("inline")


def _blocks(shape: Sequence[str]) -> list[SyntaxTreeNode]:
    from markdown_it.tree import SyntaxTreeNode

    return SyntaxTreeNode(_parser().parse("\n".join(shape))).children


def _read(shape: Sequence[str]) -> tuple[list[Fields], list[int]]:
    """All sections that have fields, and the lines of headings that announce a plan."""
    plans: list[int] = []
    found = [Fields(1, "")]
    reader = _SectionReader(shape, found[0])
    for block in _blocks(shape):
        first, last = _span(block)
        if block.type == "heading":
            name = _heading(shape[first:last], block.markup)
            found.append(Fields(first + 1, name))
            reader = _SectionReader(shape, found[-1])
            plans += [first + 1] if _announces(name) else []
        elif block.type in ("bullet_list", "ordered_list"):
            reader.read_list(block)
        elif block.type == "paragraph":
            reader.read_paragraph(first, last)
        else:
            reader.current = ""
    return [section for section in found if section.found.keys() & FIELDS], plans


def _announces(heading: str) -> bool:
    return _PLAN.fullmatch(re.sub(r"<[^>]*>|\*", "", heading)) is not None


def _span(node: SyntaxTreeNode) -> tuple[int, int]:
    return node.map or (0, 0)


def _heading(lines: Sequence[str], markup: str) -> str:
    if not markup.startswith("#"):
        return "\n".join(lines[:-1]).strip()  # underlined
    name = lines[0].strip().removeprefix(markup).strip()
    closed = re.fullmatch(rf"(.*?)[ \t]+{markup}", name, re.S)  # as many as before the name
    return closed[1] if closed else name


class _SectionReader:
    """Reads the blocks below one heading into the fields of its ablation."""

    def __init__(self, lines: Sequence[str], section: Fields) -> None:
        self.lines, self.section = lines, section
        self.current = ""  #: the field that goes on
        self.listed = False  #: whether items below it are its entries

    def read_list(self, block: SyntaxTreeNode) -> None:
        """A list of fields, or the entries of the field above it."""
        for item in block.children:
            first, last = _span(item)
            text = _cut(self.lines, first, last, bullet=True)
            if known := _FIELD.match(text):
                below = "\n" in text[known.end(2) : known.start(3)]
                self._begin(known[2], "\n" * below + known[3], first, item)
            elif self._takes(text):
                self._entry(text, first)
            elif other := _OTHER.match(text):
                self._other(other[2].strip(), other[3].strip())
            elif self.current:
                self.section.notes.append(f"line {first + 1} belongs to no field and was left out")

    def read_paragraph(self, first: int, last: int) -> None:
        """Fields without a list: "**Action**: REMOVE"."""
        begun = False
        for i in range(first, last):
            line = self.lines[i].strip()
            known = _FIELD.match(line)
            if known and known[1]:
                self._begin(known[2], known[3], i)
                begun = True
            elif begun and self.current:
                texts = self.section.found[self.current]
                texts[-1:] = ["\n".join([*texts[-1:], line])]
        self.current = self.current if begun else ""

    def _begin(self, label: str, rest: str, line: int, item: SyntaxTreeNode | None = None) -> None:
        key = _field(label)
        self.current, self.listed = key, not rest.strip()
        if key in self.section.found:
            message = f"has {FIELDS[key]} twice"
            self.section.problems.append(section_problem(self.section, message, "", line + 1))
            return
        entries = self._entries(item, rest) if key in ("replacement", "metrics") else [rest.strip()]
        bare = [entry for entry in entries if not entry or _BULLET.fullmatch(entry)]
        # A lone mark below its label is an item without text; beside it, it is what was written.
        if "" in bare or (bare and (len(entries) > 1 or rest.startswith("\n"))):
            message = f"has an empty entry in {FIELDS[key]}"
            self.section.problems.append(section_problem(self.section, message, "", line + 1))
        self.section.found[key] = entries
        if key == "metrics" and len(entries) == 1:
            self.section.found[key] = split_metrics(entries[0])

    def _entries(self, item: SyntaxTreeNode | None, rest: str) -> list[str]:
        """What stands after the label, and each item of the lists below it."""
        blocks = item.children if item is not None else []
        lists = [b for b in blocks if b.type in ("bullet_list", "ordered_list")]
        if not lists or item is None:
            return [rest.strip()] if rest.strip() else []
        first, last = _span(item)[0], _span(lists[0])[0]
        label = _FIELD.match(_cut(self.lines, first, last, bullet=True))
        opening = label[3].strip() if label else ""
        entries = [] if not opening or opening.endswith((":", "：")) else [opening]
        for block in blocks[blocks.index(lists[0]) :]:
            listed = block in lists
            for part in block.children if listed else [block]:
                entries.append(_cut(self.lines, *_span(part), bullet=listed))
        return entries

    def _takes(self, text: str) -> bool:
        """Whether an item that is no field is an entry of the one above, indented too little."""
        of_list = self.current in ("replacement", "metrics") and self.listed
        return of_list and not (self.section.found[self.current] and _OTHER.match(text))

    def _entry(self, text: str, line: int) -> None:
        if not text:
            message = f"has an empty entry in {FIELDS[self.current]}"
            self.section.problems.append(section_problem(self.section, message, "", line + 1))
        self.section.found[self.current].append(text)

    def _other(self, label: str, text: str) -> None:
        self.current = ""
        if _WHY.fullmatch(label):
            self.section.found["rationale"] = [text]
        elif self.section.found.keys() & FIELDS:
            self.section.notes.append(f'the field "{label}" was left out')


def _field(label: str) -> str:
    word = label.lower()
    return next(key for key in FIELDS if word.startswith(key[:6].replace("_", "")))


def _cut(lines: Sequence[str], first: int, last: int, *, bullet: bool) -> str:
    """Source lines of a block without its bullet and its indentation."""
    head, rest = lines[first], lines[first + 1 : last]
    if bullet:
        head = _BULLET.sub("", head, count=1)
    return "\n".join([head.strip(), dedent("\n".join(rest))]).strip()


def _add_rationales(found: Sequence[Fields], shape: Sequence[str]) -> None:
    """Give each ablation the paragraph of the reasoning whose bold head names it, if one does."""
    reasons = list(_reasons(shape, found[0].line if found else 0))
    for section in found:
        words = _words(section.name) | _words(section.text("ablated_part"))
        fit = [text for head, text in reasons if _words(head) and _words(head) <= words]
        if len(fit) == 1 and "rationale" not in section.found:
            section.found["rationale"] = fit


def _reasons(shape: Sequence[str], end: int) -> Iterator[tuple[str, str]]:
    """(bold head, text) of the list items before the first section."""
    for block in _blocks(shape[: max(0, end - 1)]):
        items = block.children if block.type in ("bullet_list", "ordered_list") else ()
        for item in items:
            other = _OTHER.match(_cut(shape, *_span(item), bullet=True))
            if other and other[3].strip():
                yield other[2], " ".join(other[3].split())


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - {"of", "the", "in", "for", "role", "study"}
