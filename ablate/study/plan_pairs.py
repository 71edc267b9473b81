"""The pairs that a planned ablation is about: named, chosen by a qualifier, or the usual one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ablate.methods.method import Method
from ablate.methods.parts import Value
from ablate.methods.places import NETWORK_PLACES
from ablate.study.phrases import content_words, repaired

_PAIR = re.compile(r"([\w.-]+)\s*(?:/|→|->)\s*([\w.-]+)")


@dataclass(frozen=True)
class ChosenPairs:
    """Pairs of a study, in its file and in its sections for profiles, and why these."""

    pairs: tuple[str, ...]  #: "teacher/student"; () for a method without networks
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: frozenset[str] = frozenset()  #: content words of the phrase that chose them
    assumed: tuple[str, ...] = ()

    def baselines(self, method: Method, part: str) -> dict[str, Value]:
        """Pair -> the baseline of a part on it; "" stands for a method without networks."""
        found = {}
        for pair in self.pairs or ("",):
            teacher, _, student = pair.partition("/")
            found[pair] = method.baseline({"teacher": teacher, "student": student})[part]
        return found


def choose_pairs(method: Method, part_phrase: str, name: str) -> ChosenPairs:
    """Pairs that the plan's words name or qualify, or else the method's usual pair."""
    if not method.roles:
        return ChosenPairs(())
    known = NETWORK_PLACES.knows
    named = [m for m in _PAIR.finditer(part_phrase) if known(m[1]) and known(m[2])]
    if named:
        words = content_words(" ".join(found[0] for found in named))
        return ChosenPairs(tuple(f"{found[1]}/{found[2]}" for found in named), words=words)
    phrase, title = (content_words(repaired(text)) for text in (part_phrase, name))
    for qualifier in method.qualifiers:
        for wording in qualifier.words:
            words = content_words(wording)
            if words and (words <= phrase or words <= title):
                return ChosenPairs(qualifier.pairs, qualifier.profile_pairs, words)
    usual = method.usual_pairs
    text = f"the plan names no pair; {', '.join(usual)} is usual for {method.title}"
    return ChosenPairs(usual, method.usual_profile_pairs, assumed=(text,))
