"""A training script, declared in TOML and untouched: run, killed, resumed, reported."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.execute.toy_workshop import Workshop, signal_worker, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "script"

SCRIPT = """
import json, os, signal, sys, time
given = sys.argv[1:]
print(json.dumps(given), flush=True)
print("variable", json.dumps(os.environ.get("WORD", "")), flush=True)
options = dict(one.split("=", 1) for one in given if "=" in one)
if options.get("--fault") == "exit":
    print("in an unknown place\\nno such layer")
    sys.exit(3)
if options.get("--fault") == "hang":
    print("epoch 1\\nepoch 2", flush=True)
    if os.fork() == 0:
        time.sleep(600)
    time.sleep(600)
print("score =", len(options.get("--text", "")), flush=True)
"""
DECLARATION = r"""
title = "Plain"
command = ["{python}", "plain.py", "--seed={seed}"]
code = ["plain.py"]
progress = 'epoch (?P<epoch>\d+)'
[[metric]]
name = "score"
better = "higher"
pattern = 'score = (\d+)'
[[part]]
name = "text"
baseline = "a"
choices = CHOICES
flag = "--text"
[[part]]
name = "word"
baseline = "a"
choices = CHOICES
variable = "WORD"
[[part]]
name = "fault"
baseline = "none"
choices = ["none", "exit", "hang"]
flag = "--fault"
"""
NASTY = ["a", "; touch pwned #", "$(touch pwned)", "--seed=9", "{seed}", "a\nb", "' \" \\ `id`"]
STUDY = """
title = "Plain"
method = "plain.toml"
seeds = [0]
[[ablation]]
ablated_part = "{part}"
replacement = {values}
"""


def write(workshop: Workshop, part: str, values: list[str]) -> str:
    (workshop.folder / "plain.py").write_text(SCRIPT)
    text = DECLARATION.replace("CHOICES", json.dumps(NASTY))
    (workshop.folder / "plain.toml").write_text(text)
    study = STUDY.format(part=part, values=json.dumps(values))
    (workshop.folder / "study.toml").write_text(study)
    return "study.toml"


#: Long enough to be killed between two checkpoints.
LONG = ("--set", "epochs=40")


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What the example measures if nothing disturbs it."""
    made = example(Workshop(tmp_path_factory.mktemp("letters")))
    made.run("context.toml", "--seeds", "0", *LONG)
    return numbers(made)


def example(workshop: Workshop) -> Workshop:
    for file in EXAMPLE.iterdir():
        shutil.copy(file, workshop.folder)
    return workshop


def numbers(workshop: Workshop) -> list[dict[str, object]]:
    found = workshop.records()
    assert {one["status"] for one in found} == {"done"}
    return sorted(
        ({"row": one["variant"], "x": one["metrics"]["perplexity"]} for one in found), key=str
    )


def test_the_example_killed_and_resumed_measures_what_a_whole_run_measures(
    workshop: Workshop, letters: list[dict[str, object]]
) -> None:
    example(workshop)
    running = workshop.start("run", "context.toml", "--seeds", "0", *LONG)
    for attempt in workshop.workers(2, step=2, saved=True):
        signal_worker(attempt)
    os.kill(running.pid, signal.SIGKILL)
    workshop.finish(running)
    workshop.nothing_runs()
    workshop.run("context.toml", "--seeds", "0", *LONG)
    assert numbers(workshop) == letters
    assert any(past.resumed_from for past in workshop.histories())
    assert not list(workshop.results.glob("runs/*/checkpoints/own")), "removed with the result"
    table = workshop.ablate("report", "context", "--format", "latex").stdout
    assert "Perplexity" in table and "k = 3" in table.replace("$", "")


def test_a_stop_reaches_the_script(workshop: Workshop) -> None:
    example(workshop)
    running = workshop.start("run", "context.toml", "--seeds", "0", "--set", "epochs=10000")
    workshop.workers(2, step=1)
    running.send_signal(signal.SIGINT)
    assert workshop.finish(running).returncode == 130
    workshop.nothing_runs()
    ends = [past.attempts[-1].outcome for past in workshop.histories() if past.attempts]
    assert set(ends) == {"interrupted"}


@pytest.mark.parametrize("part", ["text", "word"])
def test_a_value_stays_one_argument_whatever_it_holds(workshop: Workshop, part: str) -> None:
    workshop.run(write(workshop, part, NASTY[1:]))
    logs = [run.log.read_text().splitlines() for run in workshop.runs()]
    if part == "text":
        given = sorted(json.loads(lines[0])[1] for lines in logs)
        assert given == sorted(f"--text={value}" for value in NASTY)
    else:
        assert sorted(json.loads(lines[1][9:]) for lines in logs) == sorted(NASTY)
    assert {json.loads(lines[0])[0] for lines in logs} == {"--seed=0"}
    assert {len(json.loads(lines[0])) for lines in logs} == {3}
    assert not list(workshop.folder.rglob("pwned"))


def test_a_script_that_fails_is_told_with_the_end_of_its_output(workshop: Workshop) -> None:
    said = workshop.run(write(workshop, "fault", ["exit"]), code=1)
    assert "exit code 3: no such layer" in said
    assert "Traceback" not in said and "script_program.py" not in said, "it says nothing of theirs"
    assert "    | in an unknown place" in said, "the end of its output"
    [failed] = [past for past in workshop.histories() if past.status != "done"]
    assert len(failed.attempts) == 2, "the same error twice is enough"


def test_a_script_that_fails_without_a_word_is_told(workshop: Workshop) -> None:
    study = write(workshop, "text", ["a\nb"])
    declaration = workshop.folder / "plain.toml"
    command = '"-c", "raise SystemExit(3)", "--seed={seed}"'
    text = declaration.read_text().replace('"plain.py", "--seed={seed}"', command)
    declaration.write_text(text)
    assert "exit code 3 and printed nothing" in workshop.run(study, code=1)


def test_all_that_a_script_started_ends_with_its_worker(workshop: Workshop) -> None:
    running = workshop.start("run", write(workshop, "fault", ["hang"]))
    hanging = until(lambda: [a for a in workshop.living() if a.last_step >= 1], "a script's epoch")
    children = psutil.Process(hanging[0].pid).children(recursive=True)
    assert len(children) >= 3, "the guard, the script and what it forked"
    os.kill(running.pid, signal.SIGKILL)
    signal_worker(hanging[0])
    workshop.finish(running)
    until(lambda: not any(child.is_running() for child in children), "no process left")


def test_a_script_that_cannot_resume_begins_anew_and_the_status_says_so(
    workshop: Workshop,
) -> None:
    study = write(workshop, "fault", ["hang"])
    running = workshop.start("run", study)
    hanging = until(lambda: [a for a in workshop.living() if a.last_step >= 1], "a script's epoch")
    signal_worker(hanging[0])
    until(lambda: [a for a in workshop.living() if a.number == 2 and a.last_step], "once more")
    said = workshop.ablate("status").stdout
    running.kill()
    workshop.finish(running)
    assert "1 began anew" in said
    assert not any(past.resumed_from for past in workshop.histories())


def test_stages_run_once_and_hand_over_what_they_wrote(workshop: Workshop) -> None:
    folder = workshop.folder
    (folder / "stages.py").write_text(
        "import sys, pathlib\n"
        "stage, place, amount = sys.argv[1:4]\n"
        "if stage == 'pretrain':\n"
        "    pathlib.Path(place, 'weights.txt').write_text(amount.partition('=')[2])\n"
        "else:\n"
        "    weights = pathlib.Path(place, 'weights.txt').read_text()\n"
        "    out = pathlib.Path(sys.argv[5]); pathlib.Path(out, 'm.json').write_text(\n"
        '        \'{"test": {"f1": [0, %s]}}\' % (float(weights) * float(amount[7:])))\n'
    )
    (folder / "stages.toml").write_text(
        """
title = "Two stages"
command = ["{python}", "stages.py", "tune", "{stage.pretrain}"]
code = ["stages.py"]
resume = []
[environment]
SEED = "{seed}"
[[stage]]
name = "pretrain"
command = ["{python}", "stages.py", "pretrain", "{output}"]
[[metric]]
name = "f1"
label = "macro F1"
better = "higher"
json = "{output}/m.json"
key = "test.f1"
[[part]]
name = "width"
baseline = 2.0
flag = "--width"
stages = ["pretrain"]
[[part]]
name = "rate"
baseline = 3.0
flag = "--rate"
[[part]]
name = "out"
baseline = "x"
choices = ["x"]
flag = "--out"
""".replace('"{stage.pretrain}"]', '"{stage.pretrain}"]')
    )
    text = (folder / "stages.py").read_text()
    (folder / "stages.py").write_text(
        text.replace("sys.argv[5]", "__import__('os').environ['OUT']")
    )
    declared = (folder / "stages.toml").read_text()
    (folder / "stages.toml").write_text(
        declared.replace('SEED = "{seed}"', 'SEED = "{seed}"\nOUT = "{output}"')
    )
    (folder / "study.toml").write_text(
        'title = "T"\nmethod = "stages.toml"\nseeds = [0, 1]\n'
        '[[ablation]]\nablated_part = "rate"\nreplacement = [5.0]\n'
        '[[ablation]]\nablated_part = "width"\nreplacement = [7.0]\n'
    )
    workshop.run("study.toml")
    found = workshop.records()
    pretrained = [one for one in found if one["kind"] == "pretrain"]
    assert len(pretrained) == 2, "one a width: it does not name the seed, and no rate reaches it"
    scores = {(one["variant"], one["seed"]): one["metrics"]["f1"] for one in found
              if one["kind"] != "pretrain"}  # fmt: skip
    assert sorted(scores.values()) == [6.0, 6.0, 10.0, 10.0, 21.0, 21.0]


def test_a_run_killed_in_its_second_stage_does_not_repeat_the_first(workshop: Workshop) -> None:
    folder = workshop.folder
    (folder / "stages.py").write_text(
        "import pathlib, sys, time\n"
        "stage, weights = sys.argv[1], pathlib.Path(sys.argv[2], 'weights.txt')\n"
        f"with open({str(folder / 'stages.log')!r}, 'a') as log:\n"
        "    print(stage, file=log)\n"
        "if stage == 'pretrain':\n"
        "    weights.write_text('7')\n"
        "else:\n"
        "    print('epoch 1\\nepoch 2', flush=True)\n"
        f"    if not pathlib.Path({str(folder / 'go')!r}).exists():\n"
        "        time.sleep(600)\n"
        "    print('score =', weights.read_text())\n"
    )
    (folder / "stages.toml").write_text(
        r"""
title = "Two stages"
command = ["{python}", "stages.py", "tune", "{stage.pretrain}", "{seed}"]
code = ["stages.py"]
progress = 'epoch (?P<epoch>\d+)'
[[stage]]
name = "pretrain"
command = ["{python}", "stages.py", "pretrain", "{output}"]
[[metric]]
name = "score"
better = "higher"
pattern = 'score = (\d+)'
[[part]]
name = "rate"
baseline = 3.0
flag = "--rate"
"""
    )
    (folder / "study.toml").write_text(
        'title = "T"\nmethod = "stages.toml"\nseeds = [0]\n'
        '[[ablation]]\nablated_part = "rate"\nreplacement = [5.0]\n'
    )
    running = workshop.start("run", "study.toml")
    tuning = until(lambda: [a for a in workshop.living() if a.last_step >= 1], "a second stage")
    os.kill(running.pid, signal.SIGKILL)
    for attempt in tuning:
        signal_worker(attempt)
    workshop.finish(running)
    (folder / "go").touch()
    workshop.run("study.toml")
    done = [one for one in workshop.records() if one["kind"] != "pretrain"]
    assert [(one["status"], one["metrics"]["score"]) for one in done] == [("done", 7.0)] * 2
    stages = (folder / "stages.log").read_text().split()
    assert stages.count("pretrain") == 1
    assert stages.count("tune") >= 3, "one was cut and begins anew"


def test_verify_says_that_no_weights_are_reported(workshop: Workshop) -> None:
    example(workshop)
    proof = workshop.ablate("verify", "context.toml", "--kills", "1", "--set", "epochs=200")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "metrics equal" in proof.stdout and "no weights" in proof.stdout
