"""A planned ablation → a study: its part, values, metrics and pairs, looked up in a method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablate.methods.method import Method
from ablate.methods.metrics import Metric
from ablate.methods.parts import Part, Value, same, shown
from ablate.study.phrases import number_of
from ablate.study.plan_document import PlanDocument, PlannedAblation
from ablate.study.plan_matching import Open, Vocabulary, listed, one_line, reads_as
from ablate.study.plan_pairs import ChosenPairs, choose_pairs

_NOTHING = frozenset({"", "-", "none", "null", "n/a", "na", "removed", "nothing"})
ACTIONS = ("REPLACE", "REMOVE", "ADD")


@dataclass(frozen=True)
class PlannedStudy:
    """One ablation of a plan, as far as it could be looked up for certain."""

    document: PlanDocument
    ablation: PlannedAblation
    method: Method
    pairs: ChosenPairs
    metrics: tuple[Metric, ...]
    part: Part | None = None
    values: tuple[Value | None, ...] = ()  #: as many as replacements; None where open
    baseline: Value | None = None  #: of the part, on all pairs
    mixed: bool = False  #: the method's own baseline differs between the pairs
    assumed: tuple[str, ...] = ()  #: what the plan doesn't say
    open: tuple[str, ...] = ()  #: why something is not certain
    closest: tuple[str, ...] = ()  #: names of the parts that come closest, where the part is open

    @property
    def baselines(self) -> list[int]:
        """Indices of the replacements that are the baseline."""
        values = enumerate(self.values)
        return [i for i, value in values if value is not None and same(value, self.baseline)]

    @property
    def kept(self) -> list[int]:
        """Indices of the replacements that the study file holds: all but what the action says."""
        part, action = self.part, self.ablation.action.upper()
        sets = _set_by(action, part) if part else None
        found = []
        for i, words in enumerate(self.ablation.replacement):
            repeats = sets is not None and same(self.values[i], sets)
            if not repeats and not _says_nothing(words, action):
                found.append(i)
        return found

    def to_json(self, document: Path, study: Path) -> dict[str, Any]:
        """The record that `ablate import --json` prints."""
        plan = self.ablation
        return {
            "document": str(document),
            "name": plan.name,
            "ablated_part": plan.ablated_part,
            "action": plan.action,
            "replacement": list(plan.replacement),
            "metrics": list(plan.metrics),
            "method": self.method.name,
            "part": self.part.name if self.part else None,
            "values": list(self.values),
            "baseline": self.baselines,
            "study": str(study),
            "open": list(self.open),
        }


def look_up(document: PlanDocument, plan: PlannedAblation, vocabulary: Vocabulary) -> PlannedStudy:
    """Look up part, values, metrics and pairs of an ablation; what is not certain stays open."""
    method = vocabulary.method
    pairs = choose_pairs(method, plan.ablated_part, plan.name)
    metrics, unknown = _metrics(plan, vocabulary)
    assumed = list(pairs.assumed)
    if not plan.metrics:
        assumed.append(f"the plan names no metric; {metrics[0].label} is the method's first")
    found = PlannedStudy(document, plan, method, pairs, tuple(metrics), assumed=tuple(assumed))
    part = vocabulary.part(plan.ablated_part, pairs.words)
    blank = replace(found, values=(None,) * len(plan.replacement))
    if isinstance(part, Open):
        reasons = [part.sentence, *_unknown_action(plan), *_waiting(blank)]
        return replace(blank, open=(*reasons, *unknown), closest=part.closest)
    blank = _with_baseline(blank, part)
    looked_up, reasons = _values(blank, part, vocabulary)
    return replace(looked_up, open=(*reasons, *unknown))


def _with_baseline(study: PlannedStudy, part: Part) -> PlannedStudy:
    """The study with the part's baseline: the most frequent one where pairs differ in it."""
    found = study.pairs.baselines(study.method, part.name)
    value = Counter(found.values()).most_common(1)[0][0]
    others = [f"{shown(other)} on {pair}" for pair, other in found.items() if other != value]
    if not others:
        return replace(study, part=part, baseline=value)
    own = ", ".join(others)
    text = f"{part.name} = {shown(value)} is the baseline of all pairs; the method's is {own}"
    return replace(study, part=part, baseline=value, assumed=(*study.assumed, text), mixed=True)


def _metrics(plan: PlannedAblation, vocabulary: Vocabulary) -> tuple[list[Metric], list[str]]:
    found = [vocabulary.metric(words) for words in plan.metrics]
    known = [metric for metric in found if isinstance(metric, Metric)]
    metrics = list(dict.fromkeys(known)) or list(vocabulary.metrics[:1])
    return metrics, [metric.sentence for metric in found if isinstance(metric, Open)]


def _values(
    study: PlannedStudy, part: Part, vocabulary: Vocabulary
) -> tuple[PlannedStudy, list[str]]:
    """The study with the values that its action asks for, and what stays open."""
    plan, action = study.ablation, study.ablation.action.upper()
    sets = _set_by(action, part)
    if sets is not None:
        return _switched(study, part, vocabulary, sets)
    study, reasons = _replaced(study, part, vocabulary)
    if action == "REPLACE":
        return study, reasons or list(_without_effect(study, part))
    if action in ACTIONS:
        allowed = f"{part.name} takes {part.allowed}"
        reasons.insert(0, f"{action} is not declared for {part.name}; {allowed}")
    return study, [*_unknown_action(plan), *reasons]


def _set_by(action: str, part: Part) -> Value | None:
    """The value that REMOVE or ADD sets."""
    return {"REMOVE": part.off, "ADD": part.on}.get(action)


def _says_nothing(words: str, action: str) -> bool:
    """Whether a replacement only repeats that something is removed or added: "-", "none"."""
    return action in ("REMOVE", "ADD") and words.strip().casefold() in _NOTHING


def _unknown_action(plan: PlannedAblation) -> Iterable[str]:
    if plan.action.upper() not in ACTIONS:
        yield f'"{one_line(plan.action)}" is no action, which is REPLACE, REMOVE or ADD'


def _waiting(study: PlannedStudy) -> Iterable[str]:
    """That values cannot be checked before the part is known, and which ones they are."""
    words = [study.ablation.replacement[i] for i in study.kept]
    if not words:
        return
    yield f"not checked until the part is decided: {', '.join(map(_quoted, words))}"
    for one in words:
        pieces = listed(one)
        if pieces and all(number_of(piece) is not None for piece in pieces):
            yield f"{_quoted(one)}: {reads_as(len(pieces))}"


def _quoted(words: str) -> str:
    return f'"{one_line(words)}"'


def _replaced(
    study: PlannedStudy, part: Part, vocabulary: Vocabulary
) -> tuple[PlannedStudy, list[str]]:
    """The values that stand in for the part's own, and why some are open."""
    plan, baseline = study.ablation, study.baseline
    assert baseline is not None, "every part has a baseline"
    values: list[Value | None] = []
    reasons = []
    for words in plan.replacement:
        nothing = _says_nothing(words, plan.action.upper())
        found = None if nothing else vocabulary.value(part, words, baseline)
        if isinstance(found, Open):
            reasons.append(found.sentence)
        values.append(None if isinstance(found, Open) else found)
    return replace(study, values=tuple(values)), reasons


def _switched(
    study: PlannedStudy, part: Part, vocabulary: Vocabulary, sets: Value
) -> tuple[PlannedStudy, list[str]]:
    """REMOVE or ADD: replacements may repeat the value that the part declares, or say nothing."""
    plan, baseline, reasons = study.ablation, study.baseline, []
    assert baseline is not None, "every part has a baseline"
    if same(sets, baseline):
        reasons = [f"{plan.action} sets {part.name} to its baseline, {part.describe(sets)}"]
    values: list[Value | None] = []
    for words in plan.replacement:
        nothing = _says_nothing(words, plan.action.upper())
        value = sets if nothing else vocabulary.value(part, words, baseline)
        agrees = not isinstance(value, Open) and same(value, sets)
        values.append(sets if agrees else None)
        if not agrees:
            text = (
                f'{plan.action} sets {part.name} to {part.describe(sets)}, not "{one_line(words)}"'
            )
            reasons.append(text)
    return replace(study, values=tuple(values)), reasons


def _without_effect(study: PlannedStudy, part: Part) -> Iterable[str]:
    """Why a study whose every value is known would be refused all the same."""
    if not study.values:
        yield f"REPLACE names no replacement for {part.name}, which takes {part.allowed}"
    elif len(study.baselines) == len(study.values):
        yield f"every replacement is the baseline of {part.name}, so nothing is ablated"
    for i, value in enumerate(study.values):
        twin = next((j for j in range(i) if same(study.values[j], value)), None)
        if twin is not None:
            first, second = (one_line(study.ablation.replacement[k]) for k in (twin, i))
            yield f'"{first}" and "{second}" are one value of {part.name}'
