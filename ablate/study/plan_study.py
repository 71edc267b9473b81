"""A planned ablation → a study file: looked up in a method, written as commented TOML."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import InputError, Problem
from ablate.methods.method import Method
from ablate.methods.metrics import Metric
from ablate.methods.parts import Part, Value, same, shown
from ablate.study.plan_document import PlanDocument, PlannedAblation
from ablate.study.plan_matching import Open, Vocabulary, one_line
from ablate.study.plan_pairs import ChosenPairs, choose_pairs

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Array, Table

_LONGEST_NAME = 80  #: characters of a study's file name
#: Names that another file has, or that some systems reserve.
_RESERVED = re.compile(r"ablate|pyproject|con|prn|aux|nul|com\d|lpt\d")
_NOTHING = frozenset({"", "-", "none", "null", "n/a", "na", "removed", "nothing"})
_SENTENCE_ENDS = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")


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
    if action not in ("REMOVE", "ADD"):
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


def study_text(study: PlannedStudy, folder: Path) -> str:
    """The study file, for a folder from which a method's file is found."""
    import tomlkit

    plan, document = study.ablation, tomlkit.document()
    _comment(document, f"From {study.document.name}, line {plan.line}: {plan.name}")
    document["title"] = _printable(plan.name)
    question, answers = _question(plan)
    if question:
        document["question"] = question
    document["answers"] = f'{_printable(study.document.name)}, "{_printable(plan.name)}"{answers}'
    document["method"] = _method_name(study.method, folder)
    for text in study.assumed:
        _comment(document, f"assumed: {text}")
    if study.pairs.pairs:
        document["pairs"] = list(study.pairs.pairs)
    document["metrics"] = [metric.label for metric in study.metrics]
    document.add(tomlkit.nl())
    for sentence in study.open:
        _comment(document, f"open: {sentence}")
    for name in study.closest:
        part = study.method.part(name)
        _comment(document, f"closest: {name} ({part.label}); {part.allowed}")
    ablations = tomlkit.aot()
    ablations.append(_ablation(study))
    document["ablation"] = ablations
    if study.pairs.profiles:
        document["profiles"] = {
            name: {"pairs": list(pairs)} for name, pairs in study.pairs.profiles.items()
        }
    document["plan"] = _plan(study)
    return tomlkit.dumps(document)


def _ablation(study: PlannedStudy) -> Table:
    import tomlkit

    plan, table = study.ablation, tomlkit.table()
    name = study.part.name if study.part else ""
    table["ablated_part"] = tomlkit.string(name).comment(_one_comment(plan.ablated_part))
    action = plan.action.upper() if plan.action.upper() in ("REPLACE", "REMOVE", "ADD") else ""
    table["action"] = action
    if action == "REPLACE" and plan.replacement:
        table["replacement"] = _replacement(study)
    fixed = study.mixed or (study.baselines and action == "REPLACE")
    if fixed and study.part and study.baseline is not None:
        table["baseline"] = tomlkit.item(_written(study.part, study.baseline)).comment(
            "the reference row"
        )
    return table


def _replacement(study: PlannedStudy) -> Array:
    import tomlkit

    array = tomlkit.array()
    for words, value in zip(study.ablation.replacement, study.values, strict=True):
        known = study.part is not None and value is not None
        item = _written(study.part, value) if study.part and value is not None else words
        array.add_line(item, comment=f"{'plan' if known else 'open'}: {one_line(words)}")
    array.add_line(indent="")
    return array


def _plan(study: PlannedStudy) -> Table:
    """The plan's own words, with every character that TOML has to escape."""
    import tomlkit

    plan, table = study.ablation, tomlkit.table()
    table.comment("the document's own words")
    table["document"] = study.document.name
    table["sha256"] = study.document.sha256
    for key in ("line", "name", "ablated_part", "action", "rationale"):
        table[key] = getattr(plan, key)
    table["replacement"] = list(plan.replacement)
    table["metrics"] = list(plan.metrics)
    if study.open:
        table["open"] = list(study.open)
        table["open"].comment("decide above, then delete this line")
    return table


def _written(part: Part, value: Value) -> Value:
    return part.value_labels.get(value, value)


def _method_name(method: Method, folder: Path) -> str:
    """The method's name; that of a file is told from the study's folder."""
    path, colon, attribute = method.name.rpartition(":")
    if not colon:
        return method.name
    return f"{os.path.relpath(Path(path).resolve(), folder.resolve())}:{attribute}"


def _question(plan: PlannedAblation) -> tuple[str, str]:
    """The rationale's last question, or else its last sentence, and what comes before it."""
    sentences = _SENTENCE_ENDS.split(_printable(plan.rationale)) if plan.rationale else []
    if not sentences:
        return "", ""
    asked = [sentence for sentence in sentences if sentence.endswith("?")]
    question = (asked or sentences)[-1]
    rest = " ".join(sentence for sentence in sentences if sentence is not question)
    return question, f": {rest}" if rest else ""


def _printable(text: str) -> str:
    """A text in one line, with a mark for each character that steers a terminal."""
    folded = " ".join(text.split())
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in folded)


def _comment(document: TOMLDocument, text: str) -> None:
    import tomlkit

    document.add(tomlkit.comment(one_line(text, limit=1_000)))


def _one_comment(words: str) -> str:
    return f"plan: {one_line(words)}"


def file_name(name: str) -> str:
    """A safe file name without its ending: "study_of_lpred_symmetrization"."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = "_".join(re.findall(r"[a-z0-9]+", letters))[:_LONGEST_NAME].strip("_")
    return f"{words or 'ablation'}_study" if _RESERVED.fullmatch(words) else words or "ablation"


@dataclass(frozen=True)
class StudyDraft:
    """A study file that may be written: where, and what it says."""

    study: PlannedStudy
    path: Path
    text: str
    exists: bool = False  #: a file of the same content is there already


def place(studies: Iterable[PlannedStudy], folder: Path) -> list[StudyDraft]:
    """A path of its own for each study, where no other file is."""
    taken: set[Path] = set()
    placed = []
    for study in studies:
        text = study_text(study, folder)
        stem = file_name(study.ablation.name)
        for number in count(1):
            path = folder / (f"{stem}_{number}.toml" if number > 1 else f"{stem}.toml")
            exists = _holds(path, text)
            if path not in taken and (exists or not os.path.lexists(path)):
                break
        taken.add(path)
        placed.append(StudyDraft(study, path, text, exists))
    return placed


def write(drafts: Sequence[StudyDraft]) -> None:
    """Write study files that are not there yet; none is left if one can't be written."""
    written: list[Path] = []
    try:
        for draft in drafts:
            if not draft.exists:
                draft.path.parent.mkdir(parents=True, exist_ok=True)
                with draft.path.open("x", encoding="utf-8", newline="\n") as file:
                    written.append(draft.path)
                    file.write(draft.text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        message = f"cannot be written: {error.strerror or error}"
        raise InputError(Problem(str(draft.path), "", message, "--to DIR")) from None


def _holds(path: Path, text: str) -> bool:
    try:
        return path.is_file() and path.read_bytes() == text.encode()
    except OSError:
        return False
