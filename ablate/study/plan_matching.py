"""A plan's words matched to what a method declares: certain, or left open with the reason.

A phrase means a part if every content word of it is explained by the label, symbol or alias of
that part, or by a qualifier of the method, and of no other part. Where several parts explain it,
the one counts of which it is a whole name. A value is looked up in the same way among the values
of its part, and may be a number in range.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ablate.methods.method import Method
from ablate.methods.metrics import Metric
from ablate.methods.parts import Choice, Part, Value, same, shown
from ablate.methods.recipe_config import ON_OFF
from ablate.study.phrases import content_words, number_of, repaired

_BASELINE = frozenset({"baseline", "default", "our"})  #: words that mark a value as the baseline's
_CLOSEST = 3  #: parts that a sentence names
_SEPARATORS = re.compile(r",|;|\s[/|]\s|\band\b|\bor\b")  #: what stands between several values
_REMARK = re.compile(r"\([^()]*\)")
_ON, _OFF = ("true", "on", "enabled", "yes"), ("false", "off", "disabled")


@dataclass(frozen=True)
class Names:
    """All names of one thing, as sets of words."""

    whole: frozenset[frozenset[str]]

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """Names as a declaration writes them."""
        return cls(frozenset(content_words(name) for name in names if name))

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of any name."""
        return frozenset().union(*self.whole)


@dataclass(frozen=True)
class Open:
    """Why something stays open, as a sentence for a comment, for JSON and for `ablate run`."""

    sentence: str
    closest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """What a method calls its parts, their values and its metrics."""

    method: Method
    parts: Mapping[str, Names]
    values: dict[str, dict[Value, Names]] = field(default_factory=dict)

    @classmethod
    def of(cls, method: Method) -> Vocabulary:
        """Gather all names once, for any number of phrases."""
        return cls(
            method, {part.name: Names.of((part.name, *part.words())) for part in method.parts}
        )

    @property
    def metrics(self) -> Sequence[Metric]:
        """The metrics that the method declares."""
        from ablate.methods.metrics import COSTS

        return (*self.method.metrics, *COSTS)

    def part(self, phrase: str, qualifiers: frozenset[str] = frozenset()) -> Part | Open:
        """The one part that a phrase means; `qualifiers`: words that choose pairs."""
        words = content_words(repaired(phrase))
        rest = words - qualifiers or words
        fits = [n for n, names in self.parts.items() if rest <= names.words] if rest else []
        exact = [name for name in fits if rest in self.parts[name].whole]
        certain = fits if len(fits) == 1 else exact
        if len(certain) == 1:
            return self.method.part(certain[0])
        if len(fits) > 1:
            named = ", ".join(map(self._called, fits[:_CLOSEST]))
            more = f" and {len(fits) - _CLOSEST} more" if len(fits) > _CLOSEST else ""
            sentence = f'"{one_line(phrase)}" fits {len(fits)} parts: {named}{more}'
            return Open(sentence, tuple(fits[:_CLOSEST]))
        closest = self._closest(rest)
        named = ", ".join(map(self._called, closest)) or "none"
        sentence = f'"{one_line(phrase)}" is no part of {self.method.name} for certain'
        likely = self._likely(rest, closest)
        take = f'; if {likely} is meant: ablated_part = "{likely}"' if likely else ""
        return Open(f"{sentence}; closest: {named}{take}", closest)

    def value(self, part: Part, phrase: str, baseline: Value) -> Value | Open:
        """The one value of a part that a phrase means."""
        words = content_words(repaired(phrase))
        rest = words - _BASELINE
        marked = rest != words
        found = baseline if marked and not rest else self._value(part, phrase, rest)
        if isinstance(found, Open):
            return found
        if marked and not same(found, baseline):
            usual = part.describe(baseline)
            return Open(
                f'"{one_line(phrase)}" is not the baseline of {part.name}, which is {usual}'
            )
        return found

    def metric(self, phrase: str) -> Metric | Open:
        """The metric that a phrase means."""
        words = content_words(repaired(phrase)) - {"%"}
        known = [(metric, Names.of(metric.words())) for metric in self.metrics]
        stripped = [(metric, [name - {"%"} for name in names.whole]) for metric, names in known]
        fits = [metric for metric, names in stripped if words and words in names]
        if len(fits) == 1:
            return fits[0]
        shared = {metric.label: len(words & names.words) for metric, names in known}
        closest = [label for label in sorted(shared, key=lambda one: -shared[one]) if shared[label]]
        named = ", ".join(closest[:_CLOSEST]) or f"`ablate parts {self.method.name}` lists them"
        return Open(f'"{one_line(phrase)}" is no metric for certain; closest: {named}')

    def _value(self, part: Part, phrase: str, words: frozenset[str]) -> Value | Open:
        spelled = phrase.strip().casefold()
        if part.allowed == ON_OFF and spelled in (*_ON, *_OFF):
            return spelled in _ON
        try:
            return part.parse(phrase.strip())  # as a study file would write it
        except ValueError as error:
            right = str(error)
        names = self._values(part)
        rest = words - self.parts[part.name].words
        for left in filter(None, (words, rest)):
            fits = [value for value, one in names.items() if left <= one.words]
            exact = [value for value in fits if left in names[value].whole]
            certain = fits if len(fits) == 1 else exact
            if len(certain) == 1:
                return certain[0]
            if fits:
                labels = ", ".join(part.describe(value) for value in fits)
                return Open(
                    f'"{one_line(phrase)}" fits {len(fits)} values of {part.name}: {labels}'
                )
        number = self._number(part, rest or words, names)
        if number is not None:
            return number
        pieces = listed(phrase)
        found = (self._value(part, piece, _unmarked(piece)) for piece in pieces)
        if pieces and not any(isinstance(one, Open) for one in found):
            right = reads_as(len(pieces))
        return Open(f'"{one_line(phrase)}" is no value of {part.name} for certain; {right}')

    def _number(
        self, part: Part, words: frozenset[str], names: Mapping[Value, Names]
    ) -> Value | None:
        """The number of a phrase, if all its other words are names of that number."""
        numbers = {word: number_of(word) for word in words}
        found = [(word, number) for word, number in numbers.items() if number is not None]
        if len(found) != 1:
            return None
        word, number = found[0]
        try:
            value = part.allowed.parse(number)
        except ValueError:
            return None
        own = names[value].words if value in names else frozenset()
        return value if words - {word} <= own else None

    def _values(self, part: Part) -> dict[Value, Names]:
        if part.name not in self.values:
            self.values[part.name] = _value_names(part)
        return self.values[part.name]

    def _called(self, name: str) -> str:
        part = self.method.part(name)
        return f"{name} ({part.symbol if part.symbol not in ('', name) else part.label})"

    def _likely(self, words: frozenset[str], closest: Sequence[str]) -> str:
        """The part to take over: the only one that is close, or that a phrase names in whole."""
        if len(closest) == 1:
            return closest[0]
        within = [n for n in closest if any(one and one <= words for one in self.parts[n].whole)]
        return within[0] if len(within) == 1 else ""

    def _closest(self, words: frozenset[str]) -> tuple[str, ...]:
        """The parts that share most words, or else letters, with a phrase."""
        shared = {name: len(words & names.words) for name, names in self.parts.items()}
        best = sorted((n for n in shared if shared[n]), key=lambda name: -shared[name])
        if best:
            return tuple(best[:_CLOSEST])
        return tuple(difflib.get_close_matches(" ".join(sorted(words)), self.parts, _CLOSEST))


def listed(phrase: str) -> list[str]:
    """The values that a phrase may list, as in "0.05, 0.1 (ours) and 0.2"; [] for a single one."""
    pieces = _SEPARATORS.split(_REMARK.sub(" ", phrase).strip("[]{} "))
    pieces = [piece.strip() for piece in pieces if piece.strip()]
    return pieces if len(pieces) > 1 else []


def reads_as(count: int) -> str:
    """What to do with an item that lists several values."""
    return f"it reads as {count} values: write each as an item of its own"


def _unmarked(phrase: str) -> frozenset[str]:
    """The content words of a value, but for those that mark it as the baseline's."""
    return content_words(repaired(phrase)) - _BASELINE


def one_line(text: str, limit: int = 160) -> str:
    """A text as a message quotes it."""
    folded = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return folded if len(folded) <= limit else f"{folded[: limit - 3]}..."


def _value_names(part: Part) -> dict[Value, Names]:
    own: Sequence[Value] = part.allowed.values if isinstance(part.allowed, Choice) else ()
    words: dict[Value, list[str]] = {value: [shown(value).strip('"')] for value in own}
    for value, label in part.value_labels.items():
        words.setdefault(part.allowed.parse(value), []).append(label)
    for value, more in part.value_aliases.items():
        words.setdefault(part.allowed.parse(value), []).extend(more)
    if part.off is not None and part.off_label:
        words.setdefault(part.off, []).append(part.off_label)
    return {value: Names.of(names) for value, names in words.items()}
