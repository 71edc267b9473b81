"""Rows × pairs × seeds → jobs, each id once, with what they wait for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ablate.errors import Problem
from ablate.matrix.identity import job_id, training_code
from ablate.matrix.pairs import Pair
from ablate.matrix.plan import PlannedJob
from ablate.matrix.resolve import Conditions
from ablate.matrix.rows import TableRow
from ablate.methods.catalog import content_name
from ablate.methods.method import Conflict, Method
from ablate.methods.parts import Value, same, shown
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import TEACHER_ROLE, JobConfig
from ablate.methods.teachers import SHARED_PARTS, TEACHER, TEACHER_SEED, teacher_of
from ablate.study.parse import Study
from ablate.study.settings import FILE_NAME
from ablate.study.variants import Said


@dataclass
class _Ground:
    """What rows on one pair are held against."""

    config: JobConfig  #: of the method's baseline
    conflicts: tuple[Conflict, ...]
    inert: Mapping[str, str]


@dataclass
class Jobs:
    """Gathers jobs in order; what is wrong with one goes to the study's problems."""

    study: Study
    method: Method  #: of the study
    under: Conditions
    said: Mapping[str, Said]  #: what the study says of its baseline
    inputs: Mapping[str, str]  #: what decides every result besides settings and code
    planned: list[PlannedJob] = field(default_factory=list)
    configs: dict[str, JobConfig] = field(default_factory=dict)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)  #: label -> pair -> digest
    files: dict[str, Path] = field(default_factory=dict)
    footnotes: dict[str, None] = field(default_factory=dict)  #: ordered set
    _grounds: dict[tuple[str, Pair], _Ground] = field(default_factory=dict)
    _computed: dict[tuple[Hashable, ...], str] = field(default_factory=dict)  #: content -> label
    _recipes: dict[tuple[str, str], dict[str, Value]] = field(default_factory=dict)
    #: What the row before waited for on which pair, and the ids that this got.
    _before: tuple[Pair | None, Mapping[str, JobConfig], dict[str, str]] = (None, {}, {})
    _code: str = field(default_factory=training_code)  #: of the package's own methods
    _told: set[str] = field(default_factory=set)  #: rows whose problem is known

    def baseline(self, method: Method, pair: Pair) -> dict[str, Value]:
        """The baseline's settings: the method's, changed by profile, study and --set in turn.

        Raises ValueError if the method declares a value that it does not allow.
        """
        values = self.under.apply(method, pair.networks(method))
        said = self._said_of(method)
        return values | {n: s.value for n, s in said.items() if n not in self.under.overrides}

    def _said_of(self, method: Method) -> dict[str, Said]:
        """What the study says of its baseline, as far as it counts for a method of its table.

        A comparison holds what it shares alike: the recipe and the teacher in every row; all of a
        method in its siblings, but for what sets them apart.
        """
        if method.name == self.method.name:
            return dict(self.said)
        shared = {n for n in self.said if method.has_part(n) and self._is_shared(method, n)}
        return {name: said for name, said in self.said.items() if name in shared}

    def _is_shared(self, method: Method, name: str) -> bool:
        if method.part(name).allowed != self.method.part(name).allowed:
            return False  # of the same name only
        if self.method.is_sibling(method):
            return name not in self.method.set_apart(method)
        return name in SHARED_PARTS

    def add(self, row: TableRow, pair: Pair, seeds: Sequence[int]) -> None:
        """Plan one row for one pair: a job per seed, and whatever they wait for."""
        self.check_conflicts([row], pair)
        ground = self._ground(row.method, pair, row.key)
        config = _with_changes(ground, row)
        self._check_effect(row, config, ground, pair)
        self.footnotes.update(dict.fromkeys(row.method.footnotes(config)))
        of_label = self.rows.setdefault(row.variant.label, {})
        ids = self._upstream_ids(row.method, config, pair)
        of_label[pair.name] = job_id(_known_by(row.method, config, ids))
        for seed in seeds:
            self._add_job(row.method, replace(config, seed=seed), row.variant.label, pair)

    def add_teacher(self, method: Method, pair: Pair) -> None:
        """Plan the pair's teacher for its own sake, whether or not a student waits for it."""
        ground = self._ground(method, pair, "references")
        job = replace(ground.config, networks={TEACHER_ROLE: pair.teacher})
        teacher = self._given(teacher_of(job, self._recipe), pair)
        self._check_teacher(teacher, ground.conflicts)
        self._plan(teacher, None, pair.teacher)

    def _ground(self, method: Method, pair: Pair, key: str) -> _Ground:
        if (method.name, pair) not in self._grounds:
            config = JobConfig(
                kind=method.kind,
                method=method.name,
                program=method.program,
                networks=pair.networks(method),
                data=content_name(self.under.data) if method.uses_data else "",
                seed=0,
                settings=self.baseline(method, pair),
                inputs=self.inputs if method.uses_data else {},
                code=training_code(method.file),
            )
            conflicts = tuple(self._conflicts(method, config))
            for conflict in conflicts:
                where, name = self._origin(conflict, method, config, key)
                part = "" if conflict.part in name else f"{conflict.part}: "
                text = f"{part}{conflict.message}"
                self.study.problems.append(Problem(where, name, text, conflict.right))
            inert = self._inert(method, config, pair)
            self._grounds[method.name, pair] = _Ground(config, conflicts, inert)
        return self._grounds[method.name, pair]

    def _conflicts(self, method: Method, config: JobConfig) -> Iterator[Conflict]:
        """What a baseline cannot do; one for reference has to be what its title says, too."""
        yield from method.conflicts(config)
        for name in method.core if method.name != self.method.name else ():
            part = method.part(name)
            value = config.settings[name]
            if same(value, part.off) and not same(part.baseline, part.off):
                message = f"is off ({shown(value)}), so {method.title} is not itself"
                yield Conflict(name, message, f"another value, or no reference {method.name}")

    def _inert(self, method: Method, config: JobConfig, pair: Pair) -> dict[str, str]:
        inert = dict(method.inert(config))
        if pair.checkpoint and TEACHER_SEED not in inert:
            inert[TEACHER_SEED] = "where the teacher's weights are not given"
        return inert

    def _origin(
        self, conflict: Conflict, method: Method, config: JobConfig, key: str
    ) -> tuple[str, str]:
        """File or option, and key, whose values brought a baseline's conflict about."""
        study = str(self.study.path)
        values = method.baseline(config.networks)
        said = self._said_of(method)
        for where, prefix, given in (
            (FILE_NAME, f"profiles.{self.under.name}.settings", self.under.settings),
            (study, "baseline", {name: one.value for name, one in said.items()}),
            ("--set", "", self.under.overrides),
        ):
            changes = {n: value for n, value in given.items() if method.has_part(n)}
            values |= changes
            if changes and conflict in self._conflicts(method, replace(config, settings=values)):
                name = ".".join(filter(None, (prefix, conflict.part)))
                return where, name if conflict.part in changes else prefix
        return study, key

    def check_conflicts(self, rows: Iterable[TableRow], pair: Pair) -> None:
        """A row must be able to run; what the baseline cannot do is told of the baseline only."""
        for row in rows:
            ground = self._ground(row.method, pair, row.key)
            for conflict in row.method.conflicts(_with_changes(ground, row)):
                if conflict not in ground.conflicts:
                    message = f"{row.variant.label}: {conflict.message}"
                    self.study.problem(row.key, message, conflict.right)

    def _check_teacher(self, job: JobConfig, told: Sequence[Conflict]) -> None:
        """A teacher must be able to run; what its students cannot do either is told of them."""
        for conflict in TEACHER.conflicts(job) if job.method == TEACHER.name else ():
            where, key = self.under.place_for_teacher(conflict.part)
            message = f"teacher {job.pair}: {conflict.message}"
            problem = Problem(where, key, message, conflict.right)
            if conflict not in told and problem not in self.study.problems:
                self.study.problems.append(problem)

    def _check_effect(self, row: TableRow, config: JobConfig, ground: _Ground, pair: Pair) -> None:
        """A row must compute something of its own."""
        label = row.variant.label
        if label in self._told or (row.row is None and ground.conflicts):
            return
        inert, before = self._inert(row.method, config, pair), ground.config.settings
        changed = [n for n, v in row.variant.changes.items() if not same(before[n], v)]
        if row.row and all(name in inert and name in ground.inert for name in changed):
            self._tell(row, f"changes nothing on {pair.name}", _counts(inert, changed))
            return
        twin = self._computed.setdefault(self._content(row.method, config, pair), label)
        if twin != label:
            right = _counts(inert, [*row.variant.changes]) or self._apart(row)
            self._tell(row, f'computes the same as "{twin}" on {pair.name}', right)

    def _content(self, method: Method, config: JobConfig, pair: Pair) -> tuple[Hashable, ...]:
        """All that decides what a row computes, whatever the names that it goes by."""
        config = replace(config, settings=method.canonical(config))
        ids = self._upstream_ids(method, config, pair)
        silent = {*method.upstream_parts, *self._inert(method, config, pair)}
        counting = (item for item in config.settings.items() if item[0] not in silent)
        return pair, method.code, *ids.items(), *counting

    def _apart(self, row: TableRow) -> str:
        """What would tell a row from its twin; a sibling of the study's method by its own parts."""
        if row.row is not None or not self.method.is_sibling(row.method):
            return "each row once"
        names = ", ".join(row.method.set_apart(self.method))
        return f"each row once: {row.method.title} is told apart by {names}"

    def _tell(self, row: TableRow, message: str, right: str) -> None:
        self._told.add(row.variant.label)
        self.study.problem(row.key, f"{row.variant.label}: {message}", right)

    def _add_job(self, method: Method, config: JobConfig, label: str, pair: Pair) -> None:
        upstream = method.upstream(config, self._recipe)
        *before, ids = self._before
        if [pair, upstream] != before:  # most rows wait for what the row before them waits for
            ids = {}
            for role, needed in upstream.items():
                linked = {r: ids[r] for r in needed.upstream}
                job = self._given(replace(needed, upstream=linked), pair)
                self._check_teacher(job, self._ground(method, pair, "").conflicts)
                ids[role] = self._plan(job, None, job.pair)
            self._before = pair, upstream, ids
        self._plan(_known_by(method, config, ids), label, pair.name)

    def _upstream_ids(self, method: Method, config: JobConfig, pair: Pair) -> dict[str, str]:
        """Role -> digest of upstream work, whatever that in turn waits for."""
        upstream = method.upstream(config, self._recipe).items()
        return {role: job_id(self._given(needed, pair)) for role, needed in upstream}

    def _recipe(self, method: Method, network: str) -> dict[str, Value]:
        """Settings of upstream work: those of the profile, never of the study."""
        key = method.name, network
        if key not in self._recipes:
            self._recipes[key] = self.under.apply(
                method, {method.roles[0]: network} if method.roles else {}
            )
        return self._recipes[key]

    def _given(self, job: JobConfig, pair: Pair) -> JobConfig:
        """Upstream work of the package's own depends on no other code; given weights on no seed."""
        if job.method in BUILT_IN:
            job = replace(job, code=self._code)
        if job.kind != TEACHER.kind or pair.checkpoint is None:
            return job
        digest, path = pair.checkpoint
        self.files[digest] = path
        kept = {name: job.settings[name] for name in ("precision", "deterministic")}
        return replace(job, settings=kept, seed=0, inputs={**job.inputs, "checkpoint": digest})

    def _plan(self, config: JobConfig, label: str | None, pair: str) -> str:
        identifier = job_id(config)
        if label is not None or identifier not in self.configs:
            waits = tuple(dict.fromkeys(config.upstream.values()))
            self.planned.append(
                PlannedJob(identifier, config.kind, label, pair, config.seed, waits)
            )
        self.configs[identifier] = config
        return identifier


def _known_by(method: Method, config: JobConfig, upstream: Mapping[str, str]) -> JobConfig:
    """The job as its id is taken: parts that upstream jobs show count through their ids."""
    kept = {n: v for n, v in config.settings.items() if n not in method.upstream_parts}
    return replace(config, settings=kept, upstream=dict(upstream))


def _with_changes(ground: _Ground, row: TableRow) -> JobConfig:
    config, changes = ground.config, row.variant.changes
    return replace(config, settings={**config.settings, **changes}) if changes else config


def _counts(inert: Mapping[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{name} counts {inert[name]}" for name in names if name in inert)
