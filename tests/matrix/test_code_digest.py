"""The code digest: the modules that a job reaches, as far as they can change its result."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.matrix import code_digest
from ablate.matrix.code_digest import (
    NO_CODE,
    code_text,
    file_code,
    job_code,
    method_code,
    reached,
)
from ablate.methods.places import DATA_PLACES, METHOD_PLACES, NETWORK_PLACES, load_place
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import JobConfig
from tests import REPOSITORY
from tests.matrix.study_lab import HEAD, TAU, Lab

SOURCE = '''
"""A module."""
from torch import nn

class Head(nn.Module):
    """A head."""

    def __init__(self, width=64, *, bias: bool = True):
        """Make it."""
        self.layers = [nn.Linear(width, 2 * width, bias)]  # twice as wide
        if width > 8 and bias:
            raise ValueError("too wide")

    rate: float = declared("rate", 0.1, label='learning rate', value_labels={0: "no steps"})

    async def step(self, x):
        plot(x, label="of a plot")
        return {**x, "y": x[1:, ::2] @ self.w, **{k: -v for k, v in x.items() if v is not None}}
'''

SAME = {
    "message": lambda s: s.replace("too wide", "too narrow"),
    "label": lambda s: s.replace("label='learning rate'", "label='rate of learning'"),
    "label of a value": lambda s: s.replace("no steps", "nothing"),
    "comments": lambda s: "# licence\n" + s.replace("  # twice as wide", ""),
    "docstrings": lambda s: s.replace('"""A head."""', '"""Something else."""'),
    "no docstrings": lambda s: s.replace('"""A module."""', "").replace('"""Make it."""', ""),
    "blank lines": lambda s: s.replace("\n", "\n\n"),
    "layout": lambda s: s.replace("[nn.Linear(width, 2 * width, bias)]",
                                  "[\n nn.Linear(\n width,\n (2 * width),\n bias,\n )\n ]"),
    "quotes": lambda s: s.replace('"too wide"', "'too wide'").replace('"y"', "'y'"),
    "unparsed": lambda s: ast.unparse(ast.parse(s)),
    "numbers": lambda s: s.replace("64", "0x40"),
}  # fmt: skip

OTHER = {
    "default": lambda s: s.replace("64", "65"),
    "type of a number": lambda s: s.replace("2 * width", "2.0 * width"),
    "name": lambda s: s.replace("nn.Linear", "nn.Bilinear"),
    "operator": lambda s: s.replace("> 8", ">= 8"),
    "word": lambda s: s.replace(" and ", " or "),
    "text": lambda s: s.replace('"y"', '"z"'),
    "condition of an error": lambda s: s.replace("ValueError", "TypeError"),
    "default of a part": lambda s: s.replace('"rate", 0.1', '"rate", 0.2'),
    "name of a part": lambda s: s.replace('"rate", 0.1', '"speed", 0.1'),
    "label that is no declaration's": lambda s: s.replace('label="of a plot"', 'label="other"'),
    "order of arguments": lambda s: s.replace("width, 2 * width", "2 * width, width"),
    "sign": lambda s: s.replace("-v", "+v"),
    "slice": lambda s: s.replace("::2", "::3"),
    "keyword only": lambda s: s.replace("*, ", ""),
    "unpacking": lambda s: s.replace("{**x, ", "{'x': x, "),
    "import": lambda s: s.replace("from torch import nn", "from torch import nn as nn"),
    "negation": lambda s: s.replace("is not None", "is None"),
    "text that is no docstring": lambda s: s.replace("raise ", "'text'\n            raise "),
    "base class": lambda s: s.replace("(nn.Module)", ""),
    "async": lambda s: s.replace("async def", "def"),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_changes_no_result_changes_no_code(change) -> None:
    assert change(SOURCE) != SOURCE
    assert code_text(change(SOURCE)) == code_text(SOURCE)


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_whatever_may_change_a_result_changes_the_code(change) -> None:
    assert change(SOURCE) != SOURCE
    assert code_text(change(SOURCE)) != code_text(SOURCE)


@given(st.lists(st.sampled_from(["x = 1", "y = [2, 3]", "f(x)", "def g():\n    return x",
                                 "if x:\n    y\nelse:\n    z", "a = (1,)", "a = 1,"]), max_size=6),
       st.integers(1, 6))  # fmt: skip
def test_code_is_what_python_parses(lines: list[str], indent: int) -> None:
    source = "\n".join(lines)
    other = "\n# a comment\n\n".join(textwrap.indent(line, "") for line in lines)
    other = other.replace("    ", " " * indent) + "\n"
    assert code_text(other) == code_text(source)
    assert (code_text(source) == code_text("x = 1")) == (lines == ["x = 1"])


def config(
    method: str = "cocord", teacher: str = "resnet14", student: str = "resnet8"
) -> JobConfig:
    declared = BUILT_IN[method]
    named = {"teacher": teacher, "student": student}
    networks = {role: named[role] for role in declared.roles}
    return JobConfig(declared.kind, method, declared.program, 0, {}, networks, "digits")


def modules(job: JobConfig) -> set[str]:
    names = [job.program.partition(":")[0], *map(_module, code_digest._places(job))]
    return set(reached(names))


def _module(place: str) -> str:
    return place.partition(":")[0]


def test_a_job_has_its_own_networks_and_data_and_no_others() -> None:
    of_resnets = modules(config())
    assert {"ablate.training.cocord_step", "ablate.training.networks.resnet",
            "ablate.training.data.digits", "ablate.training.loop",
            "ablate.methods.cocord_config"} <= of_resnets  # fmt: skip
    assert not of_resnets & {
        "ablate.training.networks.vgg", "ablate.training.data.cifar", "ablate.training.crd",
        "ablate.methods.cocord", "ablate.methods.teachers",
    }  # fmt: skip
    across = modules(config(student="vgg8"))
    assert across - of_resnets == {"ablate.training.networks.vgg"}
    assert "ablate.training.cocord_step" not in modules(config("kd"))


def test_nothing_of_planning_storing_or_reporting_is_code_that_trains() -> None:
    rooms = {name.split(".")[1] for name in modules(config()) if "." in name}
    assert rooms == {"training", "methods"}


@pytest.mark.parametrize("method", ["cocord", "crd", "kd", "student"])
def test_what_a_job_loads_of_ours_is_digested(method: str, tmp_path: Path) -> None:
    """In a fresh process that runs a job with its upstream work."""
    script = f"""
        import json, sys
        from tests.training.fake_session import Workshop
        from pathlib import Path
        workshop = Workshop(Path({str(tmp_path)!r}))
        job = workshop.job({method!r}, "resnet8", "wrn_16_1", epochs=1, batch_size=299)
        session = workshop.session(job)
        outside = set(sys.modules)
        for name in [name for name in outside if name.partition(".")[0] == "ablate"]:
            del sys.modules[name]
        session.run()
        print(json.dumps([name for name in sys.modules if name.partition(".")[0] == "ablate"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "ablate.training.networks.wide_resnet" in loaded
    assert loaded - NO_CODE <= modules(config(method, "resnet8", "wrn_16_1"))


def test_an_edit_to_one_networks_file_renews_only_its_jobs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEAD.replace("resnet14/resnet8", "resnet14/vgg8") + TAU
    before = [lab.expand(one).configs.keys() for one in (HEAD + TAU, text)]
    source = code_digest._source

    def edited(file: Path) -> code_digest.ModuleSource:
        found = source(file)
        return replace(found, digest="edited") if file.name == "vgg.py" else found

    monkeypatch.setattr(code_digest, "_source", edited)
    after = [lab.expand(one).configs.keys() for one in (HEAD + TAU, text)]
    assert after[0] == before[0]
    of_teachers = {job for job, one in lab.expand(text).configs.items() if one.kind != "student"}
    assert after[1] & before[1] == of_teachers, "the teacher is no VGG"


def test_the_users_own_code_counts_with_its_local_modules(tmp_path: Path) -> None:
    mine, helper, other = (tmp_path / f"{name}.py" for name in ("mine", "helper", "other"))
    mine.write_text("LR = 1\ndef go():\n    import helper\n")
    helper.write_text("from lr import RATE\n")
    (tmp_path / "lr.py").write_text("RATE = 1\n")
    other.write_text("")
    job = replace(config(), program="go", networks={}, data="")
    first, of_file = job_code(job, str(mine)), file_code(mine)
    mine.write_text("LR = 1  # a rate\ndef go():\n    import helper\n")
    other.write_text("x = 1\n")
    assert (job_code(job, str(mine)), file_code(mine)) == (first, of_file)
    (tmp_path / "lr.py").write_text("RATE = 22\n")
    assert job_code(job, str(mine)) != first
    assert file_code(mine) != of_file
    mine.write_text("LR = 22\n")
    assert len({first, job_code(job, str(mine))}) == 2


def test_a_plug_ins_whole_package_counts(tmp_path: Path) -> None:
    package = tmp_path / "plugged"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    train = package / "inner" / "train.py"
    train.write_text("LR = 1\n")
    plugin = replace(BUILT_IN["student"], program="plugged.inner.train:go", file=str(package))
    first = method_code(plugin)
    train.write_text("LR = 22\n")
    second = method_code(plugin)
    train.rename(train.with_name("fit.py"))
    assert len({first, second, method_code(plugin)}) == 3


def test_all_that_has_a_place_is_there() -> None:
    for places in (NETWORK_PLACES, DATA_PLACES, METHOD_PLACES):
        for name in places.built_in:
            assert places.load(name) is not None
    for method in BUILT_IN.values():
        assert callable(load_place(method.program))
