"""ablate.toml: found, read, and refused with every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.study.fields import flatten
from ablate.study.settings import Execution, Settings, find_settings, load_settings, user_path
from ablate.study.tomlfile import read_toml
from ablate.study.validation import dotted, validate, written

ROOT = Path(__file__).parents[2]
QUICK = '[profiles.quick]\ndata = "digits"\n'

NAMES = st.text("abz_-", min_size=1, max_size=3)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.dates() | st.times() | st.datetimes()
)  # fmt: skip


def load(folder: Path, text: str) -> Settings:
    (folder / "ablate.toml").write_text(text)
    return load_settings(folder / "ablate.toml")


def problems(folder: Path, text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as caught:
        load(folder, text)
    assert {p.where for p in caught.value.problems} == {"ablate.toml"}
    return [(p.key, p.message, p.right) for p in caught.value.problems]


def test_the_shipped_file_has_both_profiles() -> None:
    settings = load_settings(ROOT / "ablate.toml")
    assert settings.profile == "quick"
    assert settings.profiles["quick"].data == "digits"
    assert settings.profiles["paper"].data == "cifar100"
    assert settings.profiles["paper"].settings["epochs"] == 240
    assert settings.execution.interval == (0.01, "share")
    assert settings.path(settings.results) == ROOT / "results"


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    settings = load(tmp_path, QUICK)
    assert settings.execution == Execution()
    assert settings.path("runs") == tmp_path / "runs"
    assert settings.path("/runs") == Path("/runs")
    assert settings.path("~/runs") == Path.home() / "runs"


def test_a_home_that_is_not_there_is_a_folder_like_any_other() -> None:
    assert user_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


def test_numbers_are_taken_as_people_write_them(tmp_path: Path) -> None:
    settings = load(tmp_path, "[execution]\ngrace_s = 5\n" + QUICK + "settings.lr = 1\n")
    assert settings.execution.grace_s == 5.0
    assert settings.profiles["quick"].settings == {"lr": 1}


@pytest.mark.parametrize(
    ("text", "key", "message", "right"),
    [
        ("reslts = 'x'\n" + QUICK, "reslts", "unknown key", 'did you mean "results"?'),
        ("folder = 'x'\n" + QUICK, "folder", "unknown key", "it is where the file lies"),
        ("results = 5\n" + QUICK, "results", "should be a text in quotes, not 5", ""),
        ('results = "a\\u0000b"\n' + QUICK, "results", "has a control character", ""),
        ("results = ''\n" + QUICK, "results", 'is empty; "." is the folder of this file', ""),
        ("data_dir = ' '\n" + QUICK, "data_dir", 'is empty; "." is the folder of this file', ""),
        ("profile = 'quik'\n" + QUICK, "profile", 'no profile "quik"', 'did you mean "quick"?'),
        ("execution = 1\n" + QUICK, "execution", "should be a table, not 1", ""),
        ("[profiles.quick]\ndata = ' '\n", "profiles.quick.data",
         'is empty; "." is the folder of this file', ""),
        ("profile = 'quick'\n", "profile", 'no profile "quick"', ""),
        (QUICK + "dta = 1\n", "profiles.quick.dta", "unknown key", 'did you mean "data"?'),
        (QUICK + "seeds = [0, 0]\n", "profiles.quick.seeds", "has 0 twice", ""),
        (QUICK + "seeds = [0, 0, -1]\n", "profiles.quick.seeds",
         "has 0 twice; -1 is no seed, which is a number from 0 to 2^63 - 1", ""),
        (QUICK + "settings.lr = 0\n", "profiles.quick.settings.lr", "0 is no value of lr",
         "a number above 0 to 100"),
        (QUICK + "settings.lr = true\n", "profiles.quick.settings.lr", "true is no value of lr",
         "a number above 0 to 100"),
        (QUICK + "settings.lr = [1]\n", "profiles.quick.settings.lr",
         "should be a text, a number, true or false, not [1]", ""),
        (QUICK + "settings.epochs = 0x1_0000_0000_0000_0000\n", "profiles.quick.settings.epochs",
         "should be a number of at most 64 bits, not a number of 65 bits", ""),
        (QUICK + "settings.teacher.epochs = 0.5\n", "profiles.quick.settings.teacher.epochs",
         "0.5 is no value of teacher.epochs", "a whole number from 1"),
        (QUICK + "[execution]\ndevices = []\n", "execution.devices",
         'should be "auto" or a list such as ["cuda:0", "cuda:1"], not []', ""),
        (QUICK + "[execution]\ndevices = 'cuda'\n", "execution.devices",
         'should be "auto" or a list such as ["cuda:0", "cuda:1"], not "cuda"', ""),
        (QUICK + "[execution]\ndevices = ['cpu', 'cpu']\n", "execution.devices",
         "has a device twice", ""),
        (QUICK + "[execution]\njobs_per_device = 0\n", "execution.jobs_per_device",
         'should be "auto" or a whole number from 1, not 0', ""),
        (QUICK + "[execution]\ncpu_slots = true\n", "execution.cpu_slots",
         'should be "auto" or a whole number from 1, not true', ""),
        (QUICK + "[execution]\nthreads = 0\n", "execution.threads", "should be 1 or more, not 0",
         ""),
        (QUICK + "[execution]\nthreads = 1.5\n", "execution.threads",
         "should be a whole number, not 1.5", ""),
        (QUICK + "[execution]\ngrace_s = 0\n", "execution.grace_s", "should be above 0, not 0",
         ""),
        (QUICK + "[execution]\ngrace_s = inf\n", "execution.grace_s",
         "should be a finite number, not inf", ""),
        (QUICK + "[execution]\ncheckpoint_every = 'hour'\n", "execution.checkpoint_every",
         'should be "auto", or such as "1 epoch", "200 steps", "10 minutes", not "hour"', ""),
        (QUICK + "[execution]\ncheckpoint_every = '0 steps'\n", "execution.checkpoint_every",
         'should be "auto", or such as "1 epoch", "200 steps", "10 minutes", not "0 steps"', ""),
    ],
)  # fmt: skip
def test_a_problem_names_key_and_remedy(
    tmp_path: Path, text: str, key: str, message: str, right: str
) -> None:
    assert problems(tmp_path, text) == [(key, message, right)]


def test_no_profiles_at_all(tmp_path: Path) -> None:
    for text in ("", "[profiles]\n", 'results = "r"\n'):
        settings = load(tmp_path, text)
        chosen = settings.profiles[settings.profile]
        assert (settings.profile, chosen.data, chosen.settings) == ("none", "", {})
    settings = load(tmp_path, "[profiles.short]\nsettings.my_own = 1\n")
    assert (settings.profile, [*settings.profiles]) == ("none", ["none", "short"])


def test_the_files_own_problems_come_with_those_of_its_settings(tmp_path: Path) -> None:
    text = (
        'reslts = "x"\nprofile = "papr"\n[execution]\nthreads = "two"\n' + QUICK
        + "settings = { lr = 0, epohcs = 3, my_own.width = 8 }\n"
        + '[profiles.paper]\ndata = 5\n[profiles.third]\ndata = "digits"\nsettings.batch_size = 1\n'
    )  # fmt: skip
    assert sorted(p[0] for p in problems(tmp_path, text)) == [
        "execution.threads",
        "profile",
        "profiles.paper.data",
        "profiles.quick.settings.epohcs",
        "profiles.quick.settings.lr",
        "profiles.third.settings.batch_size",
        "reslts",
    ]


def test_settings_of_a_method_yet_unknown_wait_for_it(tmp_path: Path) -> None:
    assert load(tmp_path, QUICK + "settings.my_own.width = 8\n").profiles["quick"].settings == {
        "my_own.width": 8
    }


def test_the_nearest_file_above_counts(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "ablate.toml").write_text(QUICK)
    assert find_settings(inner) == tmp_path / "ablate.toml"
    (tmp_path / "a" / "ablate.toml").write_text(QUICK)
    assert find_settings(inner) == tmp_path / "a" / "ablate.toml"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert find_settings(elsewhere, inner) == tmp_path / "ablate.toml", "the first start counts"


def test_no_file_anywhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"not found in {tmp_path} or above"):
        find_settings(tmp_path)


@given(st.recursive(SCALARS, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=9))
def test_flattened_tables_keep_every_leaf(table: object) -> None:
    if not isinstance(table, dict):
        return

    def leaves(tree: dict[str, object], place: tuple[str, ...] = ()) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in tree.items():
            here = (*place, key)
            found |= leaves(value, here) if isinstance(value, dict) else {dotted(here): value}
        return found

    assert flatten(table) == leaves(table)
    assert flatten(flatten(table)) == flatten(table)


def test_two_spellings_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match=r"has a\.b twice"):
        flatten({"a": {"b": 1}, "a.b": 2})


@given(st.lists(st.integers(0, 9) | NAMES, min_size=1))
def test_dotted_places_read_back(loc: list[int | str]) -> None:
    loc = ["top", *loc]
    read: list[int | str] = []
    for word in dotted(loc).replace("[", ".[").split("."):
        read.append(int(word[1:-1]) if word.startswith("[") else word)
    assert read == loc


@given(st.text(max_size=30) | st.binary(max_size=30))
def test_any_file_is_a_table_or_an_error(tmp_path_factory: pytest.TempPathFactory,
                                         content: str | bytes) -> None:  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
    try:
        assert isinstance(read_toml(path), dict)
    except InputError as error:
        assert str(error).startswith(f"{path}: is no ")


DOCUMENTS = st.dictionaries(
    st.sampled_from([*Settings.model_fields, "x"]),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [*Execution.model_fields, "quick", "data", "seeds", "settings", "lr", "a.b", ""]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
)


@hypothesis_settings(deadline=None, max_examples=150)
@given(DOCUMENTS)
def test_no_document_crashes_the_reader(document: dict[str, object]) -> None:
    read, found = validate(Settings, document, "ablate.toml")
    assert read is not None or found
    for problem in found:
        assert problem.message
        assert "nput should" not in problem.message


@given(SCALARS | st.lists(SCALARS) | st.integers(2**70, 2**80_000))
def test_whatever_is_written_is_shown_in_a_line(value: object) -> None:
    assert len(written(value)) <= 100
