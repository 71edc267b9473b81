"""Study × method × profile → matrix: every job, its id, and what it waits for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ablate.errors import did_you_mean
from ablate.matrix.baselines import Setup, baseline_values, own_baseline
from ablate.matrix.checks import (
    baseline_problems,
    conflict_problems,
    conflicts_of_baselines,
    effect_problems,
    teacher_problems,
)
from ablate.matrix.code_digest import Codes, file_code, method_code, module_digests
from ablate.matrix.contrasts import find_contrasts, find_pair_groups
from ablate.matrix.identity import canonical
from ablate.matrix.inputs import data_files, data_inputs
from ablate.matrix.own_pairs import network_files, network_notes, weight_notes, with_own_networks
from ablate.matrix.pairs import Pair, find_pairs
from ablate.matrix.plan import Contrast, Matrix, PairGroup, StudyPlan
from ablate.matrix.plan_jobs import (
    Jobs,
    RowOnPair,
    place_rows,
    plan_jobs,
    reference_teachers,
    row_notes,
    upstream_jobs,
)
from ablate.matrix.published_rows import published_rows
from ablate.matrix.resolve import Conditions, changed_by_profile, find_conditions, profile_notes
from ablate.matrix.rows import PlannedRow, left_out, table_rows
from ablate.methods.catalog import DataInfo, by_content, content_name
from ablate.methods.method import Method
from ablate.methods.metrics import Metric
from ablate.methods.parts import Value
from ablate.methods.registry import is_users
from ablate.methods.session import JobConfig
from ablate.methods.teachers import TEACHER, TEACHER_SEED
from ablate.study.parse import Study
from ablate.study.seeds import SeedRule
from ablate.study.settings import Settings, TomlValue
from ablate.study.variants import Row, baseline_changes, chosen_metrics, rows

Found = TypeVar("Found")

MOST_JOBS = 100_000  #: of one study; a larger one is a slip of the pen

_DEFAULT_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class _Seeds:
    """The seeds to start with, and the rule that adds others."""

    first: Sequence[int]
    rule: SeedRule | None = None


@dataclass(frozen=True)
class _Questions:
    """What the study asks beyond each row against the baseline."""

    contrasts: tuple[Contrast, ...]
    pair_groups: tuple[PairGroup, ...]
    notes: Sequence[str]  #: on those that are left out under this profile


def expand(
    study: Study,
    settings: Settings,
    profile: str,
    overrides: Mapping[str, TomlValue] | None = None,
    seeds: Sequence[int] | None = None,
) -> Matrix:
    """All jobs of a study under a profile; InputError holds every problem of the file at once.

    `seeds` stand in for those of the study, and for its rule if it has one.
    """
    study = study.copy()
    method, references = _methods(study)
    methods = [m for m in (method, *references.values()) if m is not None]
    _check_profiles(study, settings)
    conditions, problems = find_conditions(settings, profile, overrides or {}, methods)
    study.problems += problems
    method = _required(study, method)
    metrics = chosen_metrics(study, method)
    declared = baseline_changes(study, method, profile)
    file_rows = rows(study, method)
    pairs = find_pairs(study, methods, settings, profile)
    conditions = _required(study, conditions)
    data = _data(study, method, conditions)
    pairs = with_own_networks(study, pairs, data)
    setup = Setup(method, conditions, declared, data_inputs(data) if data else {}, Codes())
    places = pairs or [Pair()]  # where no pair could be read, other problems may be known
    table = _table(study, setup, references, places, file_rows)
    chosen = _seeds(study, settings, profile, seeds)
    rows_on_pairs = _rows_on_pairs(study, setup, table, places, chosen)
    teachers = _teachers(setup, methods, pairs) if TEACHER in references.values() else {}
    _check_rows(study, setup, rows_on_pairs, teachers, complete=bool(pairs))
    questions = _questions(study, setup, table, pairs)
    study.check()
    jobs = plan_jobs(setup, rows_on_pairs, teachers, chosen.first)
    of_files = [*(data.notes if data else ()), *network_notes(pairs), *weight_notes(pairs)]
    of_profile = list(profile_notes(conditions, methods, declared))
    footnotes = [*of_files, *own_baseline(setup), *questions.notes, *row_notes(rows_on_pairs)]
    footnotes += [*of_profile, *left_out(file_rows, table, profile)]
    plan = _plan(
        study, setup, rows_on_pairs, jobs, metrics=metrics, chosen=chosen, questions=questions,
        data=data, footnotes=footnotes, profile_title=settings.profiles[profile].title,
        profile_settings=changed_by_profile(conditions, methods),
    )  # fmt: skip
    return _matrix(plan, jobs, table, pairs, data, notes=[*of_profile, *of_files])


def _required(study: Study, found: Found | None) -> Found:
    """What a study cannot do without; where it is missing, that is among the study's problems."""
    if found is None:
        study.check()
        raise AssertionError("what is missing is a problem")
    return found


def _data(study: Study, method: Method, conditions: Conditions) -> DataInfo | None:
    """The data set of the profile, where the method reads one."""
    data, problems = conditions.find_data() if method.uses_data else (None, [])
    study.problems += problems
    return data


def _questions(
    study: Study, setup: Setup, table: Sequence[PlannedRow], pairs: Sequence[Pair]
) -> _Questions:
    baseline = baseline_values(setup, setup.method, pairs[0] if pairs else Pair())
    contrasts, notes = find_contrasts(study, setup.method, table, pairs, baseline)
    groups, more = find_pair_groups(study, pairs)
    return _Questions(contrasts, groups, [*notes, *more])


def _plan(
    study: Study,
    setup: Setup,
    rows_on_pairs: Sequence[RowOnPair],
    jobs: Jobs,
    *,
    chosen: _Seeds,
    questions: _Questions,
    metrics: tuple[Metric, ...],
    data: DataInfo | None,
    profile_title: str,
    profile_settings: Mapping[str, Value],
    footnotes: Iterable[str],
) -> StudyPlan:
    """The plan of checked rows."""
    pairs = list(dict.fromkeys(one.pair for one in rows_on_pairs))
    return StudyPlan(
        name=study.name,
        title=study.file.title,
        question=study.file.question,
        answers=study.file.answers,
        profile=setup.conditions.name,
        data=data.title if data else "",
        metrics=metrics,
        pairs=tuple(pair.name for pair in pairs),
        seeds=tuple(chosen.first),
        baseline=baseline_values(setup, setup.method, pairs[0]),
        overrides=dict(setup.conditions.overrides),
        variants=tuple(one.variant for one in rows_on_pairs if one.pair == pairs[0]),
        jobs=jobs.planned,
        rows=jobs.rows,
        part_labels={part.name: part.symbol or part.label for part in setup.method.parts},
        footnotes=tuple(dict.fromkeys(footnotes)),
        code=method_code(setup.method),
        conditions=_digest(setup, pairs),
        profile_title=profile_title,
        profile_settings=profile_settings,
        published=published_rows(rows_on_pairs),
        margin=study.file.margin,
        seed_rule=chosen.rule,
        contrasts=questions.contrasts,
        modules=_modules(rows_on_pairs, jobs),
        pair_groups=questions.pair_groups,
    )


def _table(
    study: Study,
    setup: Setup,
    references: Mapping[str, Method],
    pairs: Sequence[Pair],
    file_rows: Sequence[Row],
) -> list[PlannedRow]:
    """The rows of the table; InputError if a method declares a baseline that it forbids."""
    for method in (setup.method, *references.values()):
        try:
            for pair in pairs:
                baseline_values(setup, method, pair)
        except ValueError as error:
            study.problem("method", f"{method.name} declares a wrong baseline: {error}")
    if any(problem.key == "method" for problem in study.problems):
        study.check()
    own_rows = [row for row in file_rows if row.belongs(setup.conditions.name)]
    baselines = {pair: baseline_values(setup, setup.method, pair) for pair in pairs}
    table = table_rows(study, setup.method, baselines, own_rows, references)
    if len(table) == 1 and not references and not study.problems:
        right = "a value that differs from the baseline's" if own_rows else "see `profiles`"
        message = f"the study changes nothing under profile {setup.conditions.name}"
        study.problem("", message, right)
    return table


def _rows_on_pairs(
    study: Study,
    setup: Setup,
    table: Sequence[PlannedRow],
    pairs: Sequence[Pair],
    seeds: _Seeds,
) -> list[RowOnPair]:
    """Every row on every pair; a matrix that nobody can run is refused before it is made."""
    jobs = len(table) * len(pairs) * len(seeds.first)
    if jobs > MOST_JOBS:
        message = f"the study has {jobs:,} jobs, and at most {MOST_JOBS:,} are planned"
        study.problem("", message, "fewer seeds, pairs or rows, or several studies")
        study.check()
    return place_rows(setup, table, pairs)


def _check_rows(
    study: Study,
    setup: Setup,
    rows_on_pairs: Sequence[RowOnPair],
    teachers: Mapping[Pair, JobConfig],
    *,
    complete: bool,
) -> None:
    """Add what is wrong with finished rows to the study's problems.

    `complete` is false where the study has no pair that could be read: then only conflicts that
    hold on any pair are looked for.
    """
    where = str(study.path)
    known = conflicts_of_baselines(setup, rows_on_pairs)
    study.problems += baseline_problems(setup, where, rows_on_pairs, known)
    study.problems += conflict_problems(where, rows_on_pairs, known)
    if complete:
        waited_for = [(one.method, one.pair, job) for one, job in upstream_jobs(rows_on_pairs)]
        reference = [(setup.method, pair, job) for pair, job in teachers.items()]
        study.problems += teacher_problems(setup, [*reference, *waited_for], known)
        study.problems += effect_problems(setup, where, rows_on_pairs, known)


def _teachers(
    setup: Setup, methods: Sequence[Method], pairs: Sequence[Pair]
) -> dict[Pair, JobConfig]:
    """Each pair's teacher as a row of its own, with the seed that the first method chooses."""
    choosing = [method for method in methods if method.has_part(TEACHER_SEED)]
    return reference_teachers(setup, (choosing or [setup.method])[0], pairs)


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


def _seeds(study: Study, settings: Settings, profile: str, chosen: Sequence[int] | None) -> _Seeds:
    """Seeds of the command, or of the study's section for the profile, the study, the profile."""
    if chosen is not None:
        return _Seeds(chosen)
    entry = study.file.profiles.get(profile)
    of_profile = settings.profiles[profile].seeds
    seeds = (entry and entry.seeds) or study.file.seeds or of_profile or list(_DEFAULT_SEEDS)
    return _Seeds(seeds.seeds, seeds) if isinstance(seeds, SeedRule) else _Seeds(seeds)


def _modules(rows_on_pairs: Sequence[RowOnPair], jobs: Jobs) -> dict[str, dict[str, str]]:
    """Each digest of code -> the modules that it covers."""
    files = {one.method.name: one.method.file for one in rows_on_pairs}
    by_code = {config.code: config for config in jobs.configs.values()}
    return {
        code: module_digests(config, files.get(config.method, ""))
        for code, config in by_code.items()
    }


def _matrix(
    plan: StudyPlan,
    jobs: Jobs,
    table: Sequence[PlannedRow],
    pairs: Sequence[Pair],
    data: DataInfo | None,
    *,
    notes: Sequence[str],
) -> Matrix:
    used = {config.inputs.get("checkpoint") for config in jobs.configs.values()}
    weights = dict(pair.checkpoint for pair in pairs if pair.checkpoint)
    files = {digest: path for digest, path in weights.items() if digest in used}
    files |= network_files(pairs) | (data_files(data) if data else {})
    own = {row.method.name: row.method.file for row in table if is_users(row.method.name)}
    codes = {name: file_code(Path(file)) for name, file in own.items()}
    notices = list(notes)
    if data and data.decoded_bytes:
        size = data.decoded_bytes / 2**20
        notices.append(f"images are decoded once, into {size:,.0f} MiB in data_dir")
    return Matrix(plan, jobs.configs, files, own, codes, tuple(notices))


def _digest(setup: Setup, pairs: Sequence[Pair]) -> str:
    """Digest of what all jobs share beside the baseline: data, teachers' recipe, given weights."""
    weights = {pair.name: pair.checkpoint[0] for pair in pairs if pair.checkpoint}
    settings = {**setup.conditions.settings, **by_content(setup.conditions.overrides)}
    shared = [content_name(setup.conditions.data), setup.inputs, settings, weights]
    return hashlib.sha256(canonical(shared).encode()).hexdigest()
