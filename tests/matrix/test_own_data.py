"""A user's own data set in a plan: known by what it holds, wherever it lies."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import pytest
from PIL import Image

from ablate.matrix.expand import expand
from ablate.matrix.inputs import DATA, input_digest
from ablate.matrix.plan import Matrix
from ablate.methods.catalog import data_info
from ablate.methods.session import JobConfig
from ablate.study.parse import read_study
from tests.matrix.study_lab import HEAD, ROOT, TAU, Lab, configs


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    for split in ("train", "val"):
        for label, value in (("dark", 10), ("light", 240)):
            (root / split / label).mkdir(parents=True)
            for i in range(8):
                Image.new("L", (12, 12), value + i).save(root / split / label / f"{i}.png")
    (root / "train" / "dark" / "notes.txt").touch()
    return root


def planned(lab: Lab, images: Path, more: str = "@16") -> Matrix:
    return lab.expand(HEAD + TAU, overrides={"data": f"folder:{images}{more}"})


def test_a_folder_that_moved_has_the_same_jobs(lab: Lab, images: Path, tmp_path: Path) -> None:
    before = planned(lab, images)
    moved = images.rename(tmp_path / "elsewhere")
    after = planned(lab, moved)
    assert before.configs.keys() == after.configs.keys()
    assert before.plan.key == after.plan.key
    assert not any(str(images) in str(vars(config)) for config in before.configs.values())


def test_each_job_is_told_where_its_data_lies_and_can_check_it(lab: Lab, images: Path) -> None:
    matrix = planned(lab, images)
    for config in matrix.configs.values():
        assert matrix.files[config.inputs[DATA]] == images
        assert input_digest(config, DATA, images) == config.inputs[DATA]
    (images / "val" / "dark" / "0.png").write_bytes((images / "val/dark/1.png").read_bytes())
    assert input_digest(config, DATA, images) != config.inputs[DATA]


def test_a_changed_image_another_size_and_a_subset_are_other_jobs(lab: Lab, images: Path) -> None:
    ids = [frozenset(planned(lab, images, more).configs) for more in ("@16", "@24", "@16[10]")]
    Image.new("L", (12, 12), 77).save(images / "train/dark/0.png")
    ids.append(frozenset(planned(lab, images).configs))
    assert len(set(ids)) == 4
    assert not frozenset.intersection(*ids)


def test_what_was_counted_and_ignored_is_in_the_footer(lab: Lab, images: Path) -> None:
    notes = "\n".join(planned(lab, images).plan.footnotes)
    assert "train: 2 classes, 16 images" in notes
    assert "val: 2 classes, 16 images" in notes
    assert "1 .txt" in notes


def test_a_subset_of_a_known_data_set_has_jobs_of_its_own(lab: Lab) -> None:
    whole = lab.expand(HEAD + TAU)
    part = lab.expand(HEAD + TAU, overrides={"data": "digits[300]"})
    assert not whole.configs.keys() & part.configs.keys()
    assert "300 of 599 training images" in part.plan.data


def test_faults_of_a_folder_are_told_where_it_was_chosen(lab: Lab, images: Path) -> None:
    (images / "train" / "dark" / "9.png").symlink_to("/nowhere/9.png")
    problems = lab.problems(HEAD + TAU, overrides={"data": f"folder:{images}@16"})
    assert [(problem.where, problem.key) for problem in problems] == [("--set", "data")]
    assert "train/dark/9.png" in problems[0].message


def test_a_part_of_a_data_set_is_planned_by_its_facts(lab: Lab) -> None:
    tabulated = [kind for kind in map(attrgetter("kind"), part_of_digits(lab)) if "table" in kind]
    assert tabulated == ["teacher_table"]
    assert lab.problem(
        HEAD + TAU, overrides={"data": "digits[300]", "views.augmentation": "crop-flip-jitter"}
    )


def part_of_digits(lab: Lab) -> list[JobConfig]:
    matrix = lab.expand(HEAD + TAU, overrides={"data": "digits[300]", "epochs": 16})
    return list(matrix.configs.values())


def test_the_middle_profile_plans_the_plans_first_study(lab: Lab) -> None:
    study = read_study(ROOT / "studies" / "lpred_symmetry.toml")
    matrix = expand(study, lab.settings, "fashion")
    assert matrix.plan.pairs == ("resnet20/resnet8",)
    assert len(matrix.plan.seeds) == 5
    [student, *_] = configs(matrix, "student")
    info = data_info(student.data)
    steps = int(student.settings["epochs"]) * info.train // int(student.settings["batch_size"])
    assert steps == 1500
    assert student.settings["head.width"] == 256


NETS = """
from torch import nn

class Small(nn.Module):
    def __init__(self, num_classes, width):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, images):
        return self.fc(self.conv(images).mean((2, 3)))

def build(name, num_classes, in_channels):
    return Small(num_classes, {"narrow": 8, "wide": 16}[name])
"""


def own(lab: Lab, pair: str, networks: str = "my_nets.py:build") -> Matrix:
    head = HEAD.replace("resnet14/resnet8", pair) + f'networks = "{networks}"\n'
    return lab.expand(head + TAU)


def test_jobs_of_own_networks_know_the_code_that_builds_them(lab: Lab) -> None:
    (lab.folder / "my_nets.py").write_text(NETS)
    matrix = own(lab, "resnet14/narrow")
    students, [teacher] = configs(matrix, "student"), configs(matrix, "teacher")
    assert all(config.networks["student"] == "narrow" for config in students)
    for config in students:
        assert matrix.files[config.inputs["student:build"]] == lab.folder / "my_nets.py"
        assert (
            input_digest(config, "student:build", lab.folder / "my_nets.py")
            == (config.inputs["student:build"])
        )
    assert teacher.inputs.keys() == {DATA}  # the same teacher for any student
    [usual] = configs(lab.expand(HEAD + TAU), "teacher")
    assert teacher == usual
    notes = "\n".join(matrix.plan.footnotes)
    assert "narrow is built by my_nets.py:build; its features are 8 wide" in notes
    (lab.folder / "my_nets.py").write_text("# a comment\n" + NETS)
    assert own(lab, "resnet14/narrow").configs.keys() == matrix.configs.keys()
    (lab.folder / "my_nets.py").write_text(NETS.replace("width, 3)", "width, 5)"))
    changed = own(lab, "resnet14/narrow").configs.keys()
    assert len(changed & matrix.configs.keys()) == 2  # the teacher and its table


def test_widths_of_own_networks_decide_what_is_inert(lab: Lab) -> None:
    (lab.folder / "my_nets.py").write_text(NETS)
    m_c = "momentum.teacher_head"
    for pair, value in (("wide/narrow", 1.0), ("narrow/narrow", 0.999)):
        [student, *_] = configs(own(lab, pair), "student")
        assert student.settings[m_c] == value, pair


@pytest.mark.parametrize(
    ("networks", "pair", "words"),
    [
        ("my_nets.py:build", "wide/nothing", "nothing"),
        ("my_nets.py:other", "wide/narrow", "no function other"),
        ("none.py:build", "wide/narrow", "no file"),
        ("my_nets.py", "wide/narrow", "names no function"),
    ],
)
def test_what_is_wrong_with_own_networks_is_told(
    lab: Lab, networks: str, pair: str, words: str
) -> None:
    (lab.folder / "my_nets.py").write_text(NETS)
    head = HEAD.replace("resnet14/resnet8", pair) + f'networks = "{networks}"\n'
    problems = lab.problems(head + TAU)
    assert {problem.key for problem in problems} == {"networks"}
    assert any(words in problem.message for problem in problems)


def test_a_preview_says_what_was_found_and_how_large_it_gets(lab: Lab, images: Path) -> None:
    notices = "\n".join(planned(lab, images).notices)
    assert "train: 2 classes, 16 images" in notices
    assert "1 .txt" in notices
    assert "decoded once" in notices


def test_given_teachers_and_trained_ones_are_told_apart(lab: Lab) -> None:
    folder = lab.folder / "teachers" / "resnet14_vanilla"
    folder.mkdir(parents=True)
    (folder / "ckpt.pth").write_bytes(b"weights")
    text = (
        (lab.folder / "ablate.toml").read_text()
        if (lab.folder / "ablate.toml").is_file()
        else (ROOT / "ablate.toml").read_text()
    )
    lab.use(text.replace('teacher_checkpoints = ""', 'teacher_checkpoints = "teachers"'))
    given = lab.expand(HEAD + TAU)
    assert any("resnet14 is given as ckpt.pth" in notice for notice in given.notices)
    assert set(given.notices) <= set(given.plan.footnotes)
    trained = lab.expand(HEAD.replace("resnet14", "resnet20") + TAU)
    [notice] = trained.notices
    assert "resnet20 is trained here" in notice
    assert "resnet14_vanilla" in notice


PACKAGE_NETS = {
    "narrow": "from torch import nn\ndef Net(num_classes):\n"
    "    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
    "                         nn.Linear(8, num_classes))\n",
    "wrong": "def Net(num_classes):\n    return num_classes\n",
    "lost": "import no_such_module\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package of three networks, and one that takes a built-in name."""
    site = tmp_path / "site"
    info = site / "netbox-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "netbox").mkdir()
    (site / "netbox" / "__init__.py").touch()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: netbox\nVersion: 1.0\n")
    entries = [f"{name}-net = netbox.{name}:Net" for name in PACKAGE_NETS]
    entries += ["resnet20 = netbox.narrow:Net"]
    (info / "entry_points.txt").write_text("\n".join(["[ablate.networks]", *entries, ""]))
    for name, text in PACKAGE_NETS.items():
        (site / "netbox" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))


def test_networks_of_packages_are_measured_and_are_no_inputs(lab: Lab, package: None) -> None:
    matrix = lab.expand(HEAD.replace("resnet14/resnet8", "resnet14/narrow-net") + TAU)
    for config in configs(matrix, "student"):
        assert config.networks["student"] == "narrow-net"
        assert config.settings["momentum.teacher_head"] == 1.0, "widths differ"
        assert not [name for name in config.inputs if name.startswith("student:")]
    notes = "\n".join(matrix.plan.footnotes)
    assert "narrow-net is built by the installed package netbox; its features are 8 wide" in notes


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("wrong-net", "no nn.Module"),
        ("lost-net", "no_such_module"),
        ("resnet20", "built in"),
    ],
)
def test_what_is_wrong_with_a_packages_network_names_the_package(
    lab: Lab, package: None, network: str, words: str
) -> None:
    [problem, *_] = lab.problems(HEAD.replace("resnet14/resnet8", f"resnet14/{network}") + TAU)
    assert "pairs" in problem.key
    assert "netbox" in problem.message
    assert words in problem.message
    assert problem.right
