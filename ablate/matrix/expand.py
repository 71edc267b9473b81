"""Study × method × profile → matrix: every job, its id, and what it waits for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ablate.errors import did_you_mean
from ablate.matrix.contrasts import find_contrasts, find_pair_groups
from ablate.matrix.identity import canonical, file_code, training_code
from ablate.matrix.inputs import data_files, data_inputs
from ablate.matrix.jobs import Jobs
from ablate.matrix.pairs import Pair, find_pairs
from ablate.matrix.plan import Matrix, StudyPlan
from ablate.matrix.resolve import Conditions, conditions
from ablate.matrix.rows import Rows, TableRow, left_out
from ablate.methods.catalog import by_content, content_name
from ablate.methods.method import Method
from ablate.methods.metrics import Metric
from ablate.methods.parts import Value, format_value
from ablate.methods.teachers import TEACHER, TEACHER_SEED
from ablate.study.parse import Study
from ablate.study.seeds import SeedRule
from ablate.study.settings import Settings, TomlValue
from ablate.study.variants import baseline_changes, chosen_metrics, rows

_DEFAULT_SEEDS = (0, 1, 2)


def expand(
    study: Study,
    settings: Settings,
    profile: str,
    overrides: Mapping[str, TomlValue] | None = None,
    seeds: Sequence[int] | None = None,
) -> Matrix:
    """All jobs of a study under a profile; InputError holds every problem of the file at once."""
    study = study.copy()
    method, references = _methods(study)
    _check_profiles(study, settings)
    metrics = chosen_metrics(study, method) if method else ()
    methods = [m for m in (method, *references.values()) if m is not None]
    under, problems = conditions(settings, profile, overrides or {}, methods)
    study.problems += problems
    if method is None:
        study.check()
        raise AssertionError("a missing method is a problem")
    said = baseline_changes(study, method, profile)
    wanted = rows(study, method)
    pairs = find_pairs(study, methods, settings, profile)
    if under is None:
        study.check()
        raise AssertionError("a missing profile is a problem")
    data, problems = under.find_data() if method.uses_data else (None, [])
    study.problems += problems
    jobs = Jobs(
        study,
        method,
        under,
        said,
        data_inputs(data) if data else {},
        files=data_files(data) if data else {},
        footnotes=dict.fromkeys(data.notes) if data else {},
    )
    own = {name: one.value for name, one in said.items() if name not in under.overrides}
    if own:
        changes = ", ".join(f"{name} = {format_value(value)}" for name, value in own.items())
        jobs.footnotes[f"the study's own baseline: {changes}"] = None
    baselines = _baselines(study, jobs, methods, pairs or [Pair()])
    table = Rows(study, method, baselines)
    mine = [row for row in wanted if row.belongs(profile)]
    table.add_baseline(mine)
    table.add(mine)
    table.add_references(references)
    if len(table.found) == 1 and not references and not study.problems:
        right = "a value that differs from the baseline's" if mine else "see `profiles`"
        study.problem("", f"the study changes nothing under profile {profile}", right)
    declared = list(seeds) if seeds is not None else _seeds(study, settings, profile)
    rule = declared if isinstance(declared, SeedRule) else None
    chosen = declared.seeds if isinstance(declared, SeedRule) else declared
    if not pairs:  # a problem, but others may be known all the same
        jobs.check_conflicts(table.found, Pair())
    contrasts, notes = find_contrasts(study, method, table.found, pairs, table.baseline)
    groups, more = find_pair_groups(study, pairs)
    jobs.footnotes.update(dict.fromkeys([*notes, *more]))
    for pair in pairs:
        if TEACHER in references.values() and pair.teacher:
            jobs.add_teacher(next(filter(_chooses_teacher, methods), method), pair)
        for row in table.found:
            jobs.add(row, pair, chosen)
    study.check()
    jobs.footnotes.update(dict.fromkeys(left_out(wanted, table.found, profile)))
    title = data.title if data else ""
    about = settings.profiles[profile].title
    matrix = _matrix(jobs, method, title, table, pairs, chosen, metrics, about)
    plan = replace(
        matrix.plan,
        margin=study.file.margin,
        seed_rule=rule,
        contrasts=contrasts,
        pair_groups=groups,
    )
    return replace(matrix, plan=plan)


def _chooses_teacher(method: Method) -> bool:
    return method.has_part(TEACHER_SEED)


def _methods(study: Study) -> tuple[Method | None, dict[str, Method]]:
    """The study's method, and its references by their keys in the file."""
    method = study.method(study.file.method, "method")
    if method is not None and method.name == TEACHER.name:
        right = '"student" trains a network alone'
        study.problem("method", "teachers are trained for studies, never studied", right)
    references: dict[str, Method] = {}
    seen: set[str] = set()
    for i, name in enumerate(study.file.references):
        key = f"references[{i}]"
        other = study.method(name, key) if name is not None else None
        if other is None:
            continue
        if other.name in seen:
            study.problem(key, f'"{name}" is listed twice', "each method once")
        elif method is not None and other.name == method.name:
            study.problem(key, f'"{name}" is the study\'s own method: the baseline', "another one")
        else:
            references[key] = other
        seen.add(other.name)
    return method, references


def _check_profiles(study: Study, settings: Settings) -> None:
    """A section for a profile that nobody can choose would be without effect."""
    named = [(f"profiles.{name}", name) for name in study.file.profiles]
    for kind in ("ablation", "grid", "variant"):
        for i, entry in enumerate(getattr(study.file, kind)):
            named += [(f"{kind}[{i}].profiles", name) for name in (entry.profiles if entry else ())]
    for key, name in named:
        if name not in settings.profiles:
            hint = did_you_mean(name, list(settings.profiles))
            study.problem(key, f'no profile "{name}" in ablate.toml', hint)


def _baselines(
    study: Study, jobs: Jobs, methods: Sequence[Method], pairs: Sequence[Pair]
) -> dict[Pair, dict[str, Value]]:
    """The study's baseline on each pair; InputError if a method declares what it forbids."""
    for method in methods:
        try:
            for pair in pairs:
                jobs.baseline(method, pair)
        except ValueError as error:
            study.problem("method", f"{method.name} declares a wrong baseline: {error}")
    if any(problem.key == "method" for problem in study.problems):
        study.check()
    return {pair: jobs.baseline(methods[0], pair) for pair in pairs}


def _seeds(study: Study, settings: Settings, profile: str) -> list[int] | SeedRule:
    """Seeds of the study under the profile: of its section for it, of the study, of the profile."""
    entry = study.file.profiles.get(profile)
    of_section = entry.seeds if entry else None
    of_profile = settings.profiles[profile].seeds
    return of_section or study.file.seeds or of_profile or list(_DEFAULT_SEEDS)


def _matrix(
    jobs: Jobs,
    method: Method,
    data: str,
    table: Rows,
    pairs: Sequence[Pair],
    seeds: Sequence[int],
    metrics: Sequence[Metric],
    profile_title: str,
) -> Matrix:
    study, under = jobs.study.file, jobs.under
    found: list[TableRow] = table.found
    plan = StudyPlan(
        name=jobs.study.name,
        title=study.title,
        question=study.question,
        answers=study.answers,
        profile=under.name,
        data=data,
        metrics=tuple(metrics),
        pairs=tuple(pair.name for pair in pairs),
        seeds=tuple(seeds),
        baseline=dict(table.baseline),
        overrides=dict(under.overrides),
        variants=tuple(row.variant for row in found),
        jobs=tuple(jobs.planned),
        rows=jobs.rows,
        part_labels={part.name: part.symbol or part.label for part in method.parts},
        footnotes=tuple(jobs.footnotes),
        code=training_code(method.file),
        conditions=_digest(under, jobs.inputs, pairs),
        profile_title=profile_title,
    )
    files = {row.method.name: row.method.file for row in found if ".py:" in row.method.name}
    codes = {name: file_code(Path(file)) for name, file in files.items()}
    return Matrix(plan, jobs.configs, jobs.files, files, codes)


def _digest(under: Conditions, inputs: Mapping[str, str], pairs: Sequence[Pair]) -> str:
    """Digest of what all jobs share beside the baseline: data, teachers' recipe, given weights."""
    weights = {pair.name: pair.checkpoint[0] for pair in pairs if pair.checkpoint}
    shared = [
        content_name(under.data),
        inputs,
        {**under.settings, **by_content(under.overrides)},
        weights,
    ]
    return hashlib.sha256(canonical(shared).encode()).hexdigest()
