"""The text of study files from plans: commented TOML with the plan's own words."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.methods.method import Method
from ablate.methods.parts import Part, Value
from ablate.methods.registry import is_users
from ablate.study.plan_document import PlannedAblation
from ablate.study.plan_matching import one_line
from ablate.study.plan_study import ACTIONS, PlannedStudy

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Array, Table

_NUMBER = re.compile(r"[-+]?(?:\d{1,15}(?:\.\d{0,17})?|\.\d{1,17})(?:[eE][-+]?\d{1,2})?", re.ASCII)
_SENTENCE_ENDS = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")


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
    document["method"] = method_name(study.method, folder)
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
    action = plan.action.upper() if plan.action.upper() in ACTIONS else ""
    table["action"] = action
    if study.kept:
        table["replacement"] = _replacement(study)
    fixed = study.mixed or (study.baselines and action in ("REPLACE", ""))
    if fixed and study.part and study.baseline is not None:
        table["baseline"] = tomlkit.item(_written(study.part, study.baseline)).comment(
            "the reference row"
        )
    return table


def _replacement(study: PlannedStudy) -> Array:
    import tomlkit

    array = tomlkit.array()
    for i in study.kept:
        words, value = study.ablation.replacement[i], study.values[i]
        known = study.part is not None and value is not None
        item = _written(study.part, value) if study.part and value is not None else _literal(words)
        array.add_line(item, comment=f"{'plan' if known else 'open'}: {one_line(words)}")
    array.add_line(indent="")
    return array


def _literal(words: str) -> Value:
    """A value of no known part, so that it is right once the part is filled in."""
    if words in ("true", "false"):
        return words == "true"
    if not _NUMBER.fullmatch(words):
        return words
    return int(words) if words.lstrip("+-").isdecimal() else float(words)


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


def method_name(method: Method, folder: Path) -> str:
    """The method's name as a study in `folder` writes it: a file is told from there."""
    if not is_users(method.name):
        return method.name
    path, colon, attribute = method.name.rpartition(".py:")
    path = f"{path}.py" if colon else attribute
    place = Path(os.path.relpath(Path(path).resolve(), folder.resolve())).as_posix()
    return f"{place}:{attribute}" if colon else place


def _question(plan: PlannedAblation) -> tuple[str, str]:
    """The rationale's last question, or else its last sentence, and what comes before it."""
    sentences = _SENTENCE_ENDS.split(_printable(plan.rationale)) if plan.rationale else []
    if not sentences:
        return "", ""
    questions = [sentence for sentence in sentences if sentence.endswith("?")]
    question = (questions or sentences)[-1]
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
