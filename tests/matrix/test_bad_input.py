"""Everything that can be wrong with a study: one error, all problems, each with what is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.errors import InputError
from ablate.study.parse import read_study
from tests.matrix.study_lab import HEAD, TAU, Lab
from tests.naming import missing_from

LIST_OF_SEEDS = (
    'should be a list of whole numbers such as [0, 1, 2], a range such as "0-9", '
    "or { first = 5, most = 20, half_width = 0.5 }"
)


def ablation(part: str, *values: str, action: str = "REPLACE", more: str = "") -> str:
    replacement = f"replacement = [{', '.join(values)}]\n" if values else ""
    return f'[[ablation]]\nablated_part = "{part}"\naction = "{action}"\n{replacement}{more}\n'


@pytest.mark.parametrize(
    ("text", "key", "message", "right"),
    [
        (ablation("temprature", "0.2"), "ablation[0].ablated_part",
         'no part "temprature" in method cocord', 'did you mean "temperature"?'),
        (ablation("temperature", "0"), "ablation[0].replacement[0]",
         "0 is no value of temperature", "a number above 0 to 1000"),
        (ablation("temperature", "-1.5"), "ablation[0].replacement[0]",
         "-1.5 is no value of temperature", "a number above 0 to 1000"),
        (ablation("temperature", "nan"), "ablation[0].replacement[0]",
         "nan is no value of temperature", "a number above 0 to 1000"),
        (ablation("temperature", '"hot"'), "ablation[0].replacement[0]",
         '"hot" is no value of temperature', "a number above 0 to 1000"),
        (ablation("temperature", '"0.5"'), "ablation[0].replacement[0]",
         '"0.5" is no value of temperature', "0.5, without quotes"),
        (ablation("temperature", '"0"'), "ablation[0].replacement[0]",
         '"0" is no value of temperature', "a number above 0 to 1000"),
        (ablation("temperature", '"lr = 0.5"'), "ablation[0].replacement[0]",
         '"lr = 0.5" is no value of temperature', "a number above 0 to 1000"),
        (ablation("temperature", "true"), "ablation[0].replacement[0]",
         "true is no value of temperature", "a number above 0 to 1000"),
        (ablation("dictionary.size", "100.5"), "ablation[0].replacement[0]",
         "100.5 is no value of dictionary.size", "a whole number from 1 to 10000000"),
        (ablation("prediction.direction", '"L_prd only"'), "ablation[0].replacement[0]",
         '"L_prd only" is no value of prediction.direction', 'did you mean "L_pred only"?'),
        (ablation("prediction.direction", '"pred_sim"'), "ablation[0].replacement[0]",
         '"pred_sim" is no value of prediction.direction', 'did you mean "pred_sym"?'),
        (ablation("predictor.enabled", "0"), "ablation[0].replacement[0]",
         "0 is no value of predictor.enabled", "one of: true, false"),
        (ablation("temperature", "0.2", "0.1"), "ablation[0].replacement[1]",
         "equals the baseline (temperature = 0.1), so it would ablate nothing",
         "another value, or `baseline = 0.1` in this ablation"),
        (ablation("prediction.direction", '"both"'), "ablation[0].replacement[0]",
         'equals the baseline (prediction.direction = "both"), so it would ablate nothing',
         'another value, or `baseline = "both"` in this ablation'),
        (ablation("loss.kd", action="REMOVE"), "ablation[0].action",
         "equals the baseline (loss.kd = 0), so it would ablate nothing",
         "another value, or `baseline = 0` in this ablation"),
        (ablation("temperature", "0.2", "0.2"), "ablation[0].replacement[1]",
         '"τ = 0.2" is ablation[0].replacement[0] already',
         "each row once, under a label of its own"),
        (TAU + ablation("temperature", "0.5"), "ablation[1].replacement[0]",
         '"τ = 0.5" is ablation[0].replacement[1] already',
         "each row once, under a label of its own"),
        (ablation("temperature"), "ablation[0].replacement",
         "REPLACE needs values", "a number above 0 to 1000"),
        (ablation("prediction.direction"), "ablation[0].replacement", "REPLACE needs values",
         'one of: "L_pred + L̃_pred", "L_pred only", "L̃_pred only"'),
        (ablation("predictor.enabled", "false", action="REMOVE"), "ablation[0].replacement",
         "REMOVE takes no replacement", 'action = "REPLACE"'),
        (ablation("prediction.direction", '"pred only"'), "ablation[0].replacement[0]",
         '"pred only" is no value of prediction.direction', 'did you mean "L_pred only"?'),
        (ablation("temperature", action="REMOVE"), "ablation[0].action",
         "REMOVE has no meaning for temperature",
         'action = "REPLACE" with values: a number above 0 to 1000'),
        (ablation("temperature", action="ADD"), "ablation[0].action",
         "ADD has no meaning for temperature",
         'action = "REPLACE" with values: a number above 0 to 1000'),
        ('[baseline]\nloss.kd = 0.5\n' + ablation("loss.kd", "2", action="ADD"),
         "ablation[0].replacement[0]", "loss.kd is on in the baseline already (0.5)",
         'action = "REPLACE", or "REMOVE"'),
        (ablation("temperature", "0.2", action="DELETE"), "ablation[0].action",
         'should be "REPLACE", "REMOVE" or "ADD", not "DELETE"', ""),
        (ablation("temperature", "0.2", more='replacment = [0.3]'), "ablation[0].replacment",
         "unknown key", 'did you mean "replacement"?'),
        (ablation("temperature", "0.2", more="baseline = 7000"), "ablation[0].baseline",
         "7000 is no value of temperature", "a number above 0 to 1000"),
        ("[baseline]\ntemperature = 0.3\n" + ablation("temperature", "0.2", more="baseline = 0.2"),
         "ablation[0].baseline", "0.2 contradicts baseline.temperature = 0.3", "one of the two"),
        (ablation("temperature", "[0.1]"), "ablation[0].replacement[0]",
         "should be a text, a number, true or false, not [0.1]", ""),
        (ablation("temperature", "2020-01-02"), "ablation[0].replacement[0]",
         "should be a text, a number, true or false, not 2020-01-02", ""),
        (ablation("temperature", "0.2", more='profiles = ["papr"]'), "ablation[0].profiles",
         'no profile "papr" in ablate.toml', 'did you mean "paper"?'),
        (ablation("temperature", "0.2", more='profiles = ["paper"]'), "",
         "the study changes nothing under profile quick", "see `profiles`"),
        ("ablation = 5", "ablation", "should be a list, not 5", ""),
        ("ablation = [5]", "ablation[0]", "should be a table, not 5", ""),
        ("[[ablation]]\nreplacement = [1]\n", "ablation[0].ablated_part", "is missing", ""),
        ("[[grid]]\nparts = {}\n", "grid[0].parts", "is empty",
         "a list of values for each of two parts"),
        ("[[grid]]\nparts.temperature = []\n", "grid[0].parts.temperature", "has no values",
         "a number above 0 to 1000"),
        ("[[grid]]\nparts = 0.2\n", "grid[0].parts", "should be a table, not 0.2", ""),
        ("[[grid]]\nparts.temperature = [0.2, 0.2]\nparts.lr = [0.01]\n",
         "grid[0].parts.temperature", "has a value twice", "each value once"),
        ("[[grid]]\nparts.temperature = [0.2]\nparts.tau = [0.01]\n",
         "grid[0].parts.tau", 'no part "tau" in method cocord', 'did you mean "temperature"?'),
        *((ablation(words, "0.2"), "ablation[0].ablated_part",
           f'no part "{words}" in method cocord', f'did you mean "{name}"?')
          for words, name in (
              ("τ", "temperature"), ("lambda_pred", "loss.pred"), ("m_c", "momentum.teacher_head"),
              ("weight of the kontrastive loss", "loss.ctr"), ("temperatur", "temperature"),
          )),
        ("[[grid]]\nparts.temperature = [0.2]\nparts.loss.ctr = [0.5, -1]\n",
         "grid[0].parts.loss.ctr[1]", "-1 is no value of loss.ctr", "a number from 0 to 1000000"),
        ("[[grid]]\nparts.batch_size = [32, 512]\nparts.temperature = [0.2]\n", "grid[0]",
         "batch size = 512, τ = 0.2: a batch of 512 keys does not fit the dictionary of 256",
         "at most 256, or a larger dictionary.size"),
        ("[[variant]]\nset = {}\n", "variant[0].set", "is empty", "part = value"),
        ("[[variant]]\nset = { temperature = 0.1, loss.pred = 4 }\n", "variant[0].set",
         "equals the baseline (temperature = 0.1, loss.pred = 4), so it would ablate nothing",
         "another value"),
        ('[[variant]]\nlabel = "τ = 0.2"\nset = { temperature = 0.5 }\n' + ablation(
            "temperature", "0.2"), "variant[0].set",
         '"τ = 0.2" is ablation[0].replacement[0] already',
         "each row once, under a label of its own"),
        ('[[variant]]\nlabel = "CoCoRD"\nset.temperature = 0.5\n', "variant[0].set",
         '"CoCoRD" is the baseline\'s label already', "each row once, under a label of its own"),
        (TAU + "[baseline]\ntemperatur = 0.3\n", "baseline.temperatur",
         'no part "temperatur" in method cocord', 'did you mean "temperature"?'),
        (TAU + "[baseline]\nlr = 0\n", "baseline.lr", "0 is no value of lr",
         "a number above 0 to 100"),
        (TAU + '[baseline]\n"head.width" = 8\nhead.width = 16\n', "baseline",
         "has head.width twice, in quotes and without", ""),
        (TAU + "[baseline]\ndictionary.size = 32\n", "baseline",
         "batch_size: a batch of 64 keys does not fit the dictionary of 32",
         "at most 32, or a larger dictionary.size"),
        (TAU + "[profiles.papper]\nseeds = [1]\n", "profiles.papper",
         'no profile "papper" in ablate.toml', 'did you mean "paper"?'),
        (TAU + "[profiles.paper]\nsedes = [1]\n", "profiles.paper.sedes", "unknown key",
         'did you mean "seeds"?'),
        (TAU + "[profiles.paper]\nseeds = [1, 1]\n", "profiles.paper.seeds", "has 1 twice", ""),
        (TAU + "[profiles.paper.settings]\nlr = 1\n", "profiles.paper.settings", "unknown key",
         "they belong in ablate.toml; for this study only, in `baseline` here"),
        (TAU + "[profiles.quick]\npairs = []\n", "profiles.quick.pairs", "is empty",
         '["teacher/student"]'),
        (TAU + "[profiles.paper.baseline]\nlr = 0\n", "profiles.paper.baseline.lr",
         "0 is no value of lr", "a number above 0 to 100"),
        (TAU + '[profiles.paper]\npairs = ["resnet110/resnet23"]\n', "profiles.paper.pairs[0]",
         'no network "resnet23"',
         'did you mean "resnet20"?; `ablate parts --networks` lists all'),
    ],
)  # fmt: skip
def test_a_problem_names_key_and_remedy(
    lab: Lab, text: str, key: str, message: str, right: str | None
) -> None:
    found = lab.problem(HEAD + text)
    assert found[:2] == (key, message)
    if right is not None:
        assert found[2] == right


@pytest.mark.parametrize(
    ("line", "key", "message", "right"),
    [
        ("seeds = [0.5]", "seeds",
         f"{LIST_OF_SEEDS}, not [0.5]", ""),
        ("seeds = [true]", "seeds",
         f"{LIST_OF_SEEDS}, not [true]", ""),
        ("seeds = 3", "seeds", f"{LIST_OF_SEEDS}, not 3", ""),
        ("seeds = []", "seeds",
         f"{LIST_OF_SEEDS}, not []", ""),
        ("seeds = [0, -1]", "seeds",
         "-1 is no seed, which is a number from 0 to 2^63 - 1", ""),
        (f"seeds = [0, {2**63}]", "seeds",
         f"{2**63} is no seed, which is a number from 0 to 2^63 - 1", ""),
        ("seeds = [1, 0, 1]", "seeds", "has 1 twice", ""),
        ("metrics = []", "metrics", "is empty", 'such as ["top1"]'),
        ('metrics = ["accuracy"]', "metrics[0]", 'cocord declares no metric "accuracy"', None),
        ('metrics = ["Top-1 acuracy (%)"]', "metrics[0]",
         'cocord declares no metric "Top-1 acuracy (%)"',
         'did you mean "Top-1 accuracy (%)"?'),
        ('metrics = ["top11"]', "metrics[0]",
         'cocord declares no metric "top11"', 'did you mean "top1"?'),
        ('metrics = ["Accuracy"]', "metrics[0]",
         'cocord declares no metric "Accuracy"', 'did you mean "Top-1 accuracy (%)"?'),
        ('metrics = ["top1", "Top-1 accuracy (%)"]', "metrics[1]",
         '"Top-1 accuracy (%)" is listed twice', "each metric once"),
        ("metrics = [1]", "metrics[0]", "should be a text in quotes, not 1", ""),
        ('quesiton = "?"', "quesiton", "unknown key", 'did you mean "question"?'),
        ('question = "\\u001b[31m"', "question", "has a control character", ""),
        ('answers = ["a"]', "answers", 'should be a text in quotes, not ["a"]', ""),
        ('references = ["kdd"]', "references[0]", 'no method "kdd"',
         'did you mean "kd"? or your own: "file.py:NAME" or "file.toml"'),
        ('references = ["kd", "kd"]', "references[1]", '"kd" is listed twice', "each method once"),
        ('references = ["cocord"]', "references[0]",
         '"cocord" is the study\'s own method: the baseline', "another one"),
        ("references = [1]", "references[0]", "should be a text in quotes, not 1", ""),
        ("profiles = 1", "profiles", "should be a table, not 1", ""),
        ("profiles.quick = 1", "profiles.quick", "should be a table, not 1", ""),
        ("baseline = 1", "baseline", "should be a table, not 1", ""),
        ("baseline.lr = [1]", "baseline.lr",
         "should be a text, a number, true or false, not [1]", ""),
        ("baseline.head.widht = 8", "baseline.head.widht",
         'no part "head.widht" in method cocord', 'did you mean "head.width"?'),
        ("baseline.head = 8", "baseline.head", 'no part "head" in method cocord', None),
    ],
)  # fmt: skip
def test_top_level_keys(lab: Lab, line: str, key: str, message: str, right: str | None) -> None:
    found = lab.problem(HEAD + line + "\n" + TAU)
    assert found[:2] == (key, message)
    if right is not None:
        assert found[2] == right


@pytest.mark.parametrize(
    ("pairs", "key", "message", "right"),
    [
        ("[]", "pairs", "is empty", '["teacher/student"]'),
        ('["resnet8"]', "pairs[0]", "has no teacher, which cocord needs", '"TEACHER/resnet8"'),
        ('["resnet14/resnet8", "resnet14/resnet8"]', "pairs[1]",
         '"resnet14/resnet8" is pairs[0] already', "each pair once"),
        ('["resnet14/resnet8", "resnet14/"]', "pairs[1]", 'no network ""', None),
        ('["resnet14/resnet8", "resnt14/resnet8"]', "pairs[1]", 'no network "resnt14"',
         'did you mean "resnet14"?; `ablate parts --networks` lists all'),
        ('["resnet15/resnet8"]', "pairs[0]", 'no network "resnet15"',
         'did you mean "resnet14"?; `ablate parts --networks` lists all'),
        ('["resnet14/ResNet8"]', "pairs[0]", 'no network "ResNet8"',
         'did you mean "resnet8"?; `ablate parts --networks` lists all'),
        ('["resnet14-resnet8"]', "pairs[0]", '"resnet14-resnet8" is no pair',
         '"teacher/student": "resnet14/resnet8"'),
        ('["resnet14 -> resnet8"]', "pairs[0]", '"resnet14 -> resnet8" is no pair',
         '"teacher/student": "resnet14/resnet8"'),
        ('["vgg/13/vgg8"]', "pairs[0]", None, None),
        ("[5]", "pairs[0]", 'should be "teacher/student" or a table with both, not 5', ""),
        ('"resnet14/resnet8"', "pairs", 'should be a list, not "resnet14/resnet8"', ""),
        ('[{ teacher = "resnet14" }]', "pairs[0].student", "is missing", ""),
        ('[{ teacher = "resnet14", studnet = "resnet8", student = "resnet8" }]',
         "pairs[0].studnet", "unknown key", 'did you mean "student"?'),
        ('[{ teacher = "resnet14", student = "resnet8", teacher_checkpoint = "none.pth" }]',
         "pairs[0].teacher_checkpoint", None, "relative to the study file"),
    ],
)  # fmt: skip
def test_pairs(lab: Lab, pairs: str, key: str, message: str | None, right: str | None) -> None:
    text = f'title = "T"\nmethod = "cocord"\npairs = {pairs}\n{TAU}'
    found = lab.problems(text)
    assert found[0].key == key, [str(problem) for problem in found]
    if message is not None:
        assert found[0].message == message
    if right is not None:
        assert found[0].right == right


def test_several_at_once_in_one_error_each_with_its_place(lab: Lab) -> None:
    text = """
    titel = "T"
    method = "cocord"
    pairs = ["resnet14/resnet9", "resnet8x4"]
    seeds = [0, 0]
    metrics = ["Top-1 accuracy (%)", "speed"]
    [[ablation]]
    ablated_part = "temprature"
    action = "REPLACE"
    replacement = [0.2]
    [[ablation]]
    ablated_part = "temperature"
    acton = "REPLACE"
    replacement = [0.1, 0, 0.2, "x", 0.5]
    [[ablation]]
    ablated_part = "views.augmentation"
    action = "REPLACE"
    replacement = ["crop-flip-jitter"]
    [baseline]
    head.widht = 64
    [profiles.quik]
    seeds = [0]
    """
    found = lab.problems(text, overrides={"epohcs": 1})
    assert sorted(problem.key for problem in found) == [
        "ablation[0].ablated_part",
        "ablation[1].acton",
        "ablation[1].replacement[0]",
        "ablation[1].replacement[1]",
        "ablation[1].replacement[3]",
        "ablation[2].replacement[0]",
        "baseline.head.widht",
        "epohcs",
        "metrics[1]",
        "pairs[0]",
        "pairs[1]",
        "profiles.quik",
        "seeds",
        "titel",
        "title",
    ]
    for problem in found:
        assert str(problem).startswith(
            f"--set: {problem.key}: "
            if problem.key == "epohcs"
            else f"{lab.folder / 'study.toml'}: {problem.key}: "
        )


def test_conflicts_of_rows_are_told_beside_other_problems(lab: Lab) -> None:
    text = (
        HEAD
        + ablation("views.augmentation", '"crop-flip-jitter"', '"blur"')
        + ablation("batch_size", "32", "512")
    )
    told = {problem.key: problem.message for problem in lab.problems(text)}
    jitter, blur, batch = (f"ablation[{place}]" for place in (
        "0].replacement[0", "0].replacement[1", "1].replacement[1"
    ))  # fmt: skip
    assert told.keys() == {jitter, blur, batch}
    assert missing_from(told[jitter], "crop and flip, colour jitter", "channels", "digits") == []
    assert missing_from(told[blur], '"blur"', "views.augmentation") == []
    assert missing_from(told[batch], "batch size = 512", "dictionary", "256") == []


def test_a_missing_file_names_the_one_that_was_meant(lab: Lab) -> None:
    lab.write(HEAD + TAU, "lpred_symmetry")
    with pytest.raises(InputError) as caught:
        read_study(lab.folder / "lpred_simmetry.toml")
    (problem,) = caught.value.problems
    assert problem.where == f"{lab.folder}/lpred_simmetry.toml"
    assert f'"{lab.folder}/lpred_symmetry.toml"' in problem.right
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda p: p.write_text("title = "), "is no valid TOML: Invalid value (at "),
        (lambda p: p.write_text("a = 1\na = 2\n"), "is no valid TOML: Cannot overwrite"),
        (lambda p: p.write_bytes(b"\xff\xfe"), "is no text in UTF-8"),
        (lambda p: p.write_text("a = " + "1" * 5000), "is no valid TOML: "),
        (lambda p: p.write_text("a = " + "[" * 5000), "is nested too deeply"),
        (lambda p: p.write_text(".".join("a" * 3000) + " = 1"), "is nested too deeply"),
        (lambda p: p.mkdir(), "is a folder; a study is a file"),
    ],
)
def test_a_file_that_is_no_toml(lab: Lab, write: Callable[[Path], object], told: str) -> None:
    write(lab.folder / "study.toml")
    with pytest.raises(InputError) as caught:
        read_study(lab.folder / "study.toml")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{lab.folder}/study.toml: {told}")


def test_pairs_that_are_not_there(lab: Lab) -> None:
    (problem,) = lab.problems(f'title = "T"\nmethod = "cocord"\n{TAU}')
    assert (problem.key, problem.message) == ("pairs", "is missing")


@pytest.mark.parametrize("name", ["a b", "-x", "λ", "a" * 101, "x;y"])
def test_a_study_is_named_by_its_file(lab: Lab, name: str) -> None:
    study = read_study(lab.write(HEAD + TAU, name))
    (problem,) = study.problems
    assert missing_from(problem, f"{name}.toml", "A-Z a-z 0-9 _ . -") == []


def test_an_empty_file_is_told_what_a_study_needs(lab: Lab) -> None:
    with pytest.raises(InputError) as caught:
        read_study(lab.write(""))
    assert [p.key for p in caught.value.problems] == ["title", "method", ""]


def test_a_missing_method_is_told_with_the_rest(lab: Lab) -> None:
    found = lab.problems(HEAD.replace("cocord", "cocrod") + 'seeds = ["x"]\n' + TAU)
    assert {p.key for p in found} == {"method", "seeds"}


def test_teachers_are_not_studied(lab: Lab) -> None:
    text = 'title = "T"\nmethod = "teacher"\npairs = ["resnet8"]\n'
    text += ablation("lr", "0.1")
    key, _, right = lab.problem(text)
    assert key == "method"
    assert '"student"' in right


def test_nothing_is_written(lab: Lab) -> None:
    before = {p: p.read_bytes() for p in lab.folder.rglob("*")}
    lab.problems(HEAD + ablation("temperature", "0"))
    after = {p: p.read_bytes() for p in lab.folder.rglob("*")}
    assert after.keys() - before.keys() == {lab.folder / "study.toml"}


def test_checking_twice_says_the_same(lab: Lab) -> None:
    study = read_study(lab.write(HEAD + ablation("temperature", "0")))
    texts = []
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            from ablate.matrix.expand import expand

            expand(study, lab.settings, "quick")
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    assert study.problems == []


JARGON = (
    "input should", "valid string", "valid list", "dictionary", "instance of", "none", "[type=",
    "pydantic", "extra", "bool", " int", "float", "str ", "field required",
)  # fmt: skip
KEYS = ("title", "method", "pairs", "seeds", "metrics", "baseline", "ablation", "grid", "variant",
        "references", "profiles")  # fmt: skip
WRITTEN = ("5", "true", '"x"', "[]", "[[]]", "[{}]", "{}", "1.5", "2020-01-01", "[nan]",
           "{ quick = { pairs = [1] } }")  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", WRITTEN)
def test_no_message_speaks_of_types_in_python(lab: Lab, key: str, value: str) -> None:
    parts = {"title": '"T"', "method": '"cocord"', "pairs": '["resnet14/resnet8"]', key: value}
    text = "\n".join(f"{name} = {written}" for name, written in parts.items())
    for problem in lab.problems(text):  # if no other, then that the study changes nothing
        message = problem.message.lower()
        assert not [word for word in JARGON if word in message], message


@pytest.mark.parametrize("text", ["τ = 0.3", "tau=0.3", "temperature = 0.3", "τ\u00a0=\u00a00.3"])
def test_a_value_may_be_written_as_tables_print_it(lab: Lab, text: str) -> None:
    plain = lab.expand(HEAD + ablation("temperature", "0.3"))
    labelled = lab.expand(HEAD + ablation("temperature", f'"{text}"'))
    assert labelled.configs == plain.configs


def test_blanks_around_the_slash_of_a_pair_do_no_harm(lab: Lab) -> None:
    text = f'title = "T"\nmethod = "cocord"\npairs = ["{{}}"]\n{TAU}'
    spaced = lab.expand(text.format(" resnet14 / resnet8 "))
    assert spaced.configs == lab.expand(text.format("resnet14/resnet8")).configs
