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
from ablate.study.plan_document import PlanDocument, PlannedAblation
from ablate.study.plan_matching import Open, Vocabulary, one_line
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
        return replace(blank, open=(part.sentence, *unknown), closest=part.closest)
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
    plan, baseline = study.ablation, study.baseline
    assert baseline is not None, "every part has a baseline"
    action = plan.action.upper()
    if action == "REPLACE":
        found = [vocabulary.value(part, words, baseline) for words in plan.replacement]
        values = tuple(None if isinstance(value, Open) else value for value in found)
        study = replace(study, values=values)
        reasons = [value.sentence for value in found if isinstance(value, Open)]
        return study, reasons or list(_without_effect(study, part))
    if action not in ACTIONS:
        return study, [f'"{one_line(plan.action)}" is no action, which is REPLACE, REMOVE or ADD']
    sets = part.off if action == "REMOVE" else part.on
    if sets is None:
        allowed = f"{part.name} takes {part.allowed}"
        return study, [f"{action} is not declared for {part.name}; {allowed}"]
    return _switched(study, part, vocabulary, sets)


def _switched(
    study: PlannedStudy, part: Part, vocabulary: Vocabulary, sets: Value
) -> tuple[PlannedStudy, list[str]]:
    """REMOVE or ADD: replacements may repeat the value that the part declares, or say nothing."""
    plan, reasons = study.ablation, []
    if study.baseline is not None and same(sets, study.baseline):
        reasons = [f"{plan.action} sets {part.name} to its baseline, {part.describe(sets)}"]
    values: list[Value | None] = []
    for words in plan.replacement:
        one = words.strip().casefold() in _NOTHING
        value = sets if one else vocabulary.value(part, words, study.baseline or sets)
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
