"""Read the TOML file that declares a script as a method; every problem of it at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.methods.declaration_table import Table
from ablate.methods.method import Method
from ablate.methods.metrics import Better, Metric
from ablate.methods.parts import Choice, Part, Range, Value, format_value
from ablate.methods.script import (
    CHECKPOINTS,
    FOLDER,
    MAIN,
    OUTPUT,
    PLACEHOLDERS,
    SEED,
    STAGE,
    Measure,
    Passing,
    Script,
    Source,
    Stage,
    Take,
    Way,
    script_method,
)

_GIT = "git"
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Declaration:
    """A script and the method that it is for studies."""

    script: Script
    method: Method


def read_script(path: Path) -> Declaration:
    """Read a declaration; its method is named by its file.

    Raises InputError with every problem of the file.
    """
    table = Table(path, _parsed(path))
    title = table.text("title", required=True)
    git = table.content.get("code") == _GIT
    code = table.texts("code", required=True) if not git else ()
    table.read.add("code")
    stages = _stages(table)
    passing, parts = _parts(table, [*stages])
    measures, metrics = _metrics(table, stages[MAIN])
    table.finish()
    _check_placeholders(table, stages)
    script = Script(stages, passing, measures, code or (), git)
    if table.problems:
        raise InputError(table.problems)
    method = table.made(lambda: script_method(script, title, parts, metrics))
    if method is None:
        raise InputError(table.problems)
    return Declaration(script, replace(method, file=str(path)))


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"cannot be read as TOML: {getattr(error, 'strerror', None) or error}"
        raise InputError(Problem(str(path), "", message)) from None


def _stages(table: Table) -> dict[str, Stage]:
    """The stages that others wait for, in their order, and the method's own command."""
    stages: dict[str, Stage] = {}
    for one in table.tables("stage"):
        name = one.text("name", required=True)
        if name and not _STAGE_NAME.fullmatch(name):
            one.problem("name", f'"{name}" cannot name a stage', "a-z, 0-9 and _")
        elif name in stages or name == MAIN:
            one.problem("name", f'"{name}" is taken', "each name once")
        stages[name] = _stage(one, name)
        one.finish()
    return {**stages, MAIN: _stage(table, MAIN)}


def _stage(table: Table, name: str) -> Stage:
    command = table.texts("command", required=True) or ()
    environment = table.get("environment", dict, "a table of texts") or {}
    if not all(isinstance(text, str) for text in environment.values()):
        table.problem("environment", "has the wrong type", "a table of texts")
        environment = {}
    progress = _pattern(table, "progress")
    if progress and "epoch" not in re.compile(progress).groupindex:
        table.problem("progress", "has no group that is named epoch", r"(?P<epoch>\d+)")
    return Stage(
        name,
        command,
        environment,
        resume=table.texts("resume"),
        working_folder=table.text("working_folder") or FOLDER,
        progress=progress,
    )


def _pattern(table: Table, key: str) -> str:
    text = table.text(key)
    try:
        re.compile(text)
    except re.error as error:
        table.problem(key, f"is no regular expression: {error}")
        return ""
    return text


def _parts(table: Table, stages: Sequence[str]) -> tuple[dict[str, Passing], list[Part]]:
    passing: dict[str, Passing] = {}
    parts: list[Part] = []
    for one in table.tables("part"):
        part, way = _part(one), _passing(one, stages)
        one.finish()
        if part is not None and way is not None:
            passing[part.name] = way
            parts.append(part)
    return passing, parts


def _part(one: Table) -> Part | None:
    name, label = one.text("name", required=True), one.text("label")
    baseline = one.get("baseline", object, "a value", required=True)
    allowed = _allowed(one, baseline)
    symbol = one.text("symbol")
    words: dict[str, Any] = {key: one.text(key) for key in ("off_label", "help", "source")}
    words |= {key: one.content.get(key) for key in ("off", "on")}
    words["value_labels"] = _labels(one, allowed)
    words["aliases"] = one.texts("aliases") or ()
    one.read |= {"off", "on"}
    if not isinstance(baseline, str | int | float | bool) or allowed is None or not name:
        return None
    return one.made(lambda: Part(name, label or name, symbol, baseline, allowed, **words))


def _allowed(one: Table, baseline: object) -> Choice | Range | None:
    """What a part allows: its choices, both booleans, or numbers, whole ones if its own is."""
    choices: list[Value] | None = one.get("choices", list, "a list of values")
    bounds = {key: one.content.get(key) for key in ("minimum", "maximum", "above")}
    one.read |= bounds.keys()
    if choices is not None:
        return Choice(tuple(choices))
    if isinstance(baseline, bool):
        return Choice((True, False))
    if not isinstance(baseline, int | float):
        if baseline is not None:
            one.problem("choices", "is missing", "the values that the part may take")
        return None
    for key, bound in bounds.items():
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            one.problem(key, "has the wrong type", "a number")
            return None
    low = bounds["above"] if bounds["above"] is not None else bounds["minimum"]
    return Range(
        float("-inf") if low is None else low,
        float("inf") if bounds["maximum"] is None else bounds["maximum"],
        whole=isinstance(baseline, int),
        open_low=bounds["above"] is not None,
    )


def _labels(one: Table, allowed: Choice | Range | None) -> dict[Value, str]:
    """Value -> label; TOML writes the values, as all keys, as texts."""
    found = one.get("value_labels", dict, "a table of texts") or {}
    values = allowed.values if isinstance(allowed, Choice) else ()
    written = {format_value(value): value for value in values}
    return {written.get(key, key): str(label) for key, label in found.items()}


def _passing(one: Table, stages: Sequence[str]) -> Passing | None:
    ways = {way: name for way in Way if (name := one.text(way))}
    used = one.texts("stages")
    for name in used or ():
        if name not in stages:
            one.problem("stages", f'no stage "{name}"', f"one of: {', '.join(stages)}")
    if len(ways) != 1:
        one.problem("", "is passed in one way", f"one of: {', '.join(Way)}")
        return None
    [(way, name)] = ways.items()
    if way is Way.SWITCH and not isinstance(one.content.get("baseline"), bool):
        one.problem("switch", "is for true and false", 'flag = "--name"')
    return Passing(way, name, used or (MAIN,))


def _metrics(table: Table, stage: Stage) -> tuple[dict[str, Measure], list[Metric]]:
    measures: dict[str, Measure] = {}
    metrics: list[Metric] = []
    found = table.tables("metric")
    if not found:
        table.problem("metric", "is missing", "[[metric]] with name, label and where it stands")
    for one in found:
        name, label = one.text("name", required=True), one.text("label")
        better, digits = one.choice("better", Better), one.get("digits", int, "a whole number")
        words: dict[str, Any] = {"unit": one.text("unit"), "aliases": one.texts("aliases") or ()}
        measure = _measure(one, stage, better)
        one.finish()
        if name in measures:
            one.problem("name", f'"{name}" is taken', "each name once")
        if measure is not None:
            measures[name] = measure
            digits = 2 if digits is None else digits
            metrics.append(Metric(name, label or name, better=better, digits=digits, **words))
    return measures, metrics


def _measure(one: Table, stage: Stage, better: Better | None) -> Measure | None:
    sources = {source: place for source in Source if (place := one.text(source))}
    key, column = one.text("key"), one.text("column")
    take = one.choice("take", Take) or Take.LAST
    if take is Take.BEST and better is None:
        one.problem("take", "needs to know which values are better", 'better = "higher"')
    if len(sources) != 1:
        one.problem("", "is read from one place", f"one of: {', '.join(Source)}")
        return None
    [(source, place)] = sources.items()
    if source is Source.PATTERN:
        pattern = _pattern(one, "pattern")
        if pattern and not re.compile(pattern).groups:
            one.problem("pattern", "has no group", 'the number in brackets: "f1=([0-9.]+)"')
    elif not place.startswith((OUTPUT, CHECKPOINTS)) and not stage.runs_in_output:
        right = f'use "{OUTPUT}/{place}", or working_folder = "{OUTPUT}"'
        one.problem(source, "all jobs would write the same file", right)
    if source is not Source.PATTERN and not (key or column):
        one.problem("key" if source is Source.JSON else "column", "is missing", "where it stands")
    return Measure(source, place, key or column, take)


def _check_placeholders(table: Table, stages: Mapping[str, Stage]) -> None:
    """Nothing may be named that is not there, and all seeds may not be one."""
    before: list[str] = []
    for i, (name, stage) in enumerate(stages.items()):
        place = f"stage[{i}].command" if name != MAIN else "command"
        known = [*PLACEHOLDERS, *(STAGE + earlier for earlier in before)]
        for used in dict.fromkeys(stage.names):
            if used not in known:
                right = ", ".join(f"{{{one}}}" for one in known)
                table.problem(place, f"no {{{used}}} is known", f"one of: {right}")
        before.append(name)
    unused = set(before) - {MAIN} - {name for s in stages.values() for name in s.waits_for}
    for name in sorted(unused):
        right = f"name its output, {{{STAGE}{name}}}, in a later command"
        table.problem("stage", f'nothing waits for "{name}"', right)
    seeded = any(stages[name].is_seeded for name in stages)
    if stages[MAIN].command and not seeded:
        right = f'an argument such as "--seed={{{SEED}}}"'
        table.problem("command", "does not name the seed, so all seeds would be one", right)
