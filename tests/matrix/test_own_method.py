"""Studies of a user's own method: a file beside the study, or a plug-in; no torch anywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.matrix.expand import expand
from ablate.matrix.plan import Role
from ablate.methods.session import JobConfig, Outcome, Position
from ablate.methods.teachers import TEACHER
from ablate.store.studies import merge
from ablate.study.parse import read_study
from tests.matrix.study_lab import Lab, configs, labels
from tests.naming import missing_from

HERE = Path(__file__).parent
HEAD = 'title = "Walks"\nmethod = "own_method.py:WALK"\n'
STRIDE = '[[ablation]]\nablated_part = "stride"\nreplacement = [2, 3]\n'


@pytest.fixture
def walks(lab: Lab) -> Lab:
    shutil.copy(HERE / "own_method.py", lab.folder)
    return lab


def test_a_study_of_it_needs_no_pairs(walks: Lab) -> None:
    matrix = walks.expand(HEAD + STRIDE)
    assert labels(matrix) == ["s = 1", "s = 2", "s = 3"]
    assert matrix.plan.pairs == ("Random walk",)
    assert matrix.plan.data == "", "it reads no data set of ours"
    assert matrix.method_files == {"own_method.py:WALK": str(walks.folder / "own_method.py")}
    config = configs(matrix, "student")[0]
    assert (config.method, config.program) == ("own_method.py:WALK", "walk")
    assert config.settings == {"steps": 100, "stride": 1.0, "wind": "none"}
    assert (config.inputs, config.networks, config.data) == ({}, {}, "")


def test_pairs_may_be_any_names(walks: Lab) -> None:
    matrix = walks.expand(HEAD + 'pairs = ["north", "south/west"]\n' + STRIDE)
    assert matrix.plan.pairs == ("north", "south/west")
    key, message, _ = walks.problem(HEAD + 'pairs = ["north", "north"]\n' + STRIDE)
    assert key == "pairs[1]"
    assert missing_from(message, '"north"', "pairs[0]") == []


def test_its_parts_are_checked_like_any(walks: Lab) -> None:
    text = STRIDE.replace("[2, 3]", "[0, 20]") + '[[ablation]]\nablated_part = "strid"\n'
    problems = walks.problems(HEAD + text)
    value, part, conflict = (problem.message for problem in problems)
    assert [problem.key for problem in problems] == [
        "ablation[0].replacement[0]",
        "ablation[1].ablated_part",
        "ablation[0].replacement[1]",
    ]
    assert missing_from(value, "0", "stride") == []
    assert missing_from(part, '"strid"', "own_method.py:WALK") == []
    assert missing_from(conflict, "s = 20", "the walk leaves its world") == []


def test_it_may_remove_and_add(walks: Lab) -> None:
    text = '[[ablation]]\nablated_part = "{}"\naction = "{}"\n'
    matrix = walks.expand(HEAD + text.format("steps", "REMOVE") + text.format("wind", "ADD"))
    assert [dict(v.changes) for v in matrix.plan.variants[1:]] == [{"steps": 1}, {"wind": "east"}]
    assert labels(matrix)[0] == "Random walk"


def test_profiles_and_overrides_may_name_its_parts(walks: Lab) -> None:
    walks.use("[profiles.quick]\nsettings.stride = 5\nsettings.epochs = 9\n")
    matrix = walks.expand(HEAD + STRIDE)
    assert matrix.plan.baseline["stride"] == 5.0
    (note,) = matrix.notices
    assert all(word in note for word in ("stride = 5", "profile quick", "own_method.py:WALK"))
    assert "replaces 1" in note and note in matrix.plan.footnotes
    over = walks.expand(HEAD + STRIDE, overrides={"stride": 7})
    assert over.plan.baseline["stride"] == 7.0
    (problem,) = walks.problems(HEAD + STRIDE, overrides={"data": "some"})
    assert (problem.where, problem.key) == ("--set", "data")
    assert "own_method.py:WALK" in problem.message
    (problem,) = walks.problems(HEAD + STRIDE, overrides={"lr": 0.5})
    assert (problem.where, problem.key) == ("--set", "lr")
    assert "own_method.py:WALK" in str(problem)


def test_a_profiles_value_that_it_cannot_take_is_told(walks: Lab) -> None:
    walks.use('[profiles.quick]\nsettings.stride = "long"\n')
    (problem,) = walks.problems(HEAD + STRIDE)
    assert (problem.where, problem.key) == ("ablate.toml", "profiles.quick.settings.stride")
    assert missing_from(problem.message, '"long"', "stride") == []
    assert missing_from(problem.right, "number", "0") == []


def test_settings_of_a_profile_with_data_do_not_reach_it_since_it_reads_none(walks: Lab) -> None:
    own = walks.expand(HEAD + STRIDE).configs
    walks.use('[profiles.quick]\ndata = "digits"\nsettings.stride = 5\nsettings.steps = 100\n')
    matrix = walks.expand(HEAD + STRIDE)
    assert matrix.configs == own and not matrix.plan.profile_settings
    (note,) = matrix.notices
    assert all(word in note for word in ("stride = 5", "quick", "own_method.py:WALK", "keeps 1 "))
    assert note in matrix.plan.footnotes
    for quiet in (HEAD + STRIDE + "[baseline]\nstride = 4\n", HEAD + STRIDE):
        overrides = None if "baseline" in quiet else {"stride": 7}
        assert not walks.expand(quiet, overrides=overrides).notices, "the study, or --set, decides"


def test_a_value_that_only_the_packages_methods_can_take_is_no_problem_of_it(walks: Lab) -> None:
    walks.use('[profiles.quick]\ndata = "digits"\nsettings.stride = "long"\n')
    assert walks.expand(HEAD + STRIDE).plan.baseline["stride"] == 1.0


def test_it_needs_no_profile(walks: Lab) -> None:
    own = walks.expand(HEAD + STRIDE).configs
    walks.use("")
    assert walks.expand(HEAD + STRIDE, profile=walks.settings.profile).configs == own


def test_a_method_that_reads_data_needs_a_profile_with_data(walks: Lab) -> None:
    walks.use("")
    text = 'title = "T"\nmethod = "student"\npairs = ["resnet8"]\n[[ablation]]\n'
    text += 'ablated_part = "lr"\nreplacement = [0.1]\n'
    key, message, right = walks.problem(text, profile="none")
    assert key == "profiles.none.data" and "is missing" in message and "--set data" in right
    assert walks.expand(text, profile="none", overrides={"data": "digits"}).plan.data


def test_its_code_is_part_of_its_jobs_and_of_no_others(walks: Lab) -> None:
    path = walks.folder / "own_method.py"
    text = HEAD + STRIDE
    before = walks.expand(text)
    path.write_text(path.read_text() + "# a remark\n")
    assert walks.expand(text).configs.keys() == before.configs.keys()
    path.write_text(path.read_text().replace("(-1, 1)", "(-1, 0, 1)"))
    after = walks.expand(text)
    assert not after.configs.keys() & before.configs.keys()
    assert after.plan.key != before.plan.key


def test_it_may_be_a_reference_of_another_study(walks: Lab) -> None:
    text = 'title = "T"\nmethod = "student"\npairs = ["resnet8"]\n'
    matrix = walks.expand(text + 'references = ["own_method.py:WALK"]\n')
    assert [(v.label, v.role) for v in matrix.plan.variants] == [
        ("Student", Role.BASELINE),
        ("Random walk", Role.REFERENCE),
    ]
    assert set(matrix.method_files) == {"own_method.py:WALK"}


def test_new_code_of_a_reference_takes_no_old_seeds_into_its_row(walks: Lab) -> None:
    other = Path(shutil.copy(HERE / "own_method.py", walks.folder / "other.py"))
    text = HEAD + 'references = ["other.py:WALK"]\n' + STRIDE
    before = walks.expand(text, seeds=[0, 1]).plan
    other.write_text(other.read_text().replace("(-1, 1)", "(-1, 0, 1)"))
    after = walks.expand(text, seeds=[0]).plan
    assert after.key == before.key, "its own code is what it was"
    merged = merge(before, after)
    kept = {job.variant for job in merged.jobs if job.seed == 1}
    assert kept == {"s = 1", "s = 2", "s = 3"}
    assert merged.variants[-1].role is Role.REFERENCE


def test_a_new_recipe_of_the_teacher_takes_no_old_seeds_along(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade may change what a row waits for without changing any code that trains."""
    text = 'title = "T"\nmethod = "kd"\nreferences = ["student"]\npairs = ["resnet14/resnet8"]\n'
    before = lab.expand(text, seeds=[0, 1]).plan
    recipe = {part.name: part.baseline for part in TEACHER.parts}
    changed = TEACHER.with_baseline("teacher", "Teacher", lr=float(recipe["lr"]) / 2)
    monkeypatch.setattr("ablate.methods.teachers.TEACHER", changed)
    after = lab.expand(text, seeds=[0]).plan
    kept = [job.variant for job in merge(before, after).jobs if job.seed == 1]
    assert kept == ["Student"]


def test_upstream_work_of_the_packages_own_does_not_depend_on_its_code(walks: Lab) -> None:
    path = walks.folder / "distiller.py"
    text = (
        "from dataclasses import replace\n"
        "from ablate.methods.cocord import COCORD\n"
        "MINE = replace(COCORD, title='Mine')\n"
    )
    path.write_text(text)
    study = 'title = "T"\nmethod = "distiller.py:MINE"\npairs = ["resnet14/resnet8"]\n'
    study += '[[ablation]]\nablated_part = "temperature"\nreplacement = [0.5]\n'
    mine = walks.expand(study)
    built_in = walks.expand(study.replace("distiller.py:MINE", "cocord"))
    shared = mine.configs.keys() & built_in.configs.keys()
    assert {mine.configs[job].kind for job in shared} == {"teacher", "teacher_table"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("replace(COCORD, baseline_for=lambda networks: {'lr': 0})",
         "bad.py:MINE declares a wrong baseline: a number above 0 to 100"),
        ("replace(COCORD, baseline_for=lambda networks: {'lrr': 1})",
         'bad.py:MINE declares a wrong baseline: no part "lrr" in method bad.py:MINE: did you '
         'mean "lr"?'),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_told_as_such(lab: Lab, code: str, told: str) -> None:
    head = "from dataclasses import replace\nfrom ablate.methods.cocord import COCORD\n"
    (lab.folder / "bad.py").write_text(f"{head}MINE = {code}\n")
    study = 'title = "T"\nmethod = "bad.py:MINE"\npairs = ["resnet14/resnet8"]\n'
    study += '[[ablation]]\nablated_part = "temperature"\nreplacement = [0.5]\n'
    key, message, _ = lab.problem(study)
    assert (key, message) == ("method", told)


def test_a_plug_in_is_named_by_its_entry_point(
    walks: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = tmp_path / "walks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ablate.methods]\nwalk = own_method:WALK\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    matrix = walks.expand(HEAD.replace("own_method.py:WALK", "walk") + STRIDE)
    assert labels(matrix) == ["s = 1", "s = 2", "s = 3"]
    assert matrix.plan.code != "", "and its code counts"
    sys.modules.pop("own_method", None)


def test_nothing_loads_torch(walks: Lab) -> None:
    """Expanding needs neither torch nor what else makes a command slow to start."""
    walks.write(HEAD + STRIDE)
    shipped = HERE.parents[1]
    code = f"""
import sys
from pathlib import Path
from ablate.matrix.expand import expand
from ablate.study.settings import load_settings
from ablate.study.parse import read_study
settings = load_settings(Path({str(shipped / "ablate.toml")!r}))
for path in ({str(walks.folder / "study.toml")!r}, {str(shipped / "studies/temperature.toml")!r}):
    expand(read_study(Path(path)), settings, "quick")
print([name for name in ("torch", "pandas", "sqlalchemy", "numpy") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_ten_thousand_rows_are_as_many_jobs(walks: Lab) -> None:
    steps, strides = list(range(2, 102)), [1 + i / 100 for i in range(1, 101)]
    path = walks.write(
        f"{HEAD}seeds = [0]\n[[grid]]\nparts.steps = {steps}\nparts.stride = {strides}\n"
    )
    matrix = expand(read_study(path), walks.settings, "quick")
    assert (len(matrix.configs), len(matrix.plan.jobs)) == (10_001, 10_001)


class Memory:
    """A session without a run directory."""

    def __init__(self, config: JobConfig, stop_at: int = -1, saved: bytes | None = None) -> None:
        self.config, self.stop_at, self.saved = config, stop_at, saved

    def resume(self) -> bytes | None:
        return self.saved

    def step_done(self, position: Position, snapshot: Callable[[], bytes]) -> None:
        if position.step == self.stop_at:
            self.saved = snapshot()
            raise InterruptedError


def test_its_program_runs_and_resumes(walks: Lab) -> None:
    from tests.matrix.own_method import walk

    config = configs(walks.expand(HEAD + STRIDE), "student")[0]
    whole: Outcome = walk(Memory(config))  # type: ignore[arg-type]
    stopped = Memory(config, stop_at=40)
    with pytest.raises(InterruptedError):
        walk(stopped)  # type: ignore[arg-type]
    assert walk(Memory(config, saved=stopped.saved)) == whole  # type: ignore[arg-type]
    assert whole.metrics["top1"] != 0
