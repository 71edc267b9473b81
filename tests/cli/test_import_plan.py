from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app

PLAN = """### Study of the predictor
- **Ablated Part**: Predictor
- **Action**: REMOVE
- **Metrics**: Top-1 accuracy (%)

### Study of momentum
- **Ablated Part**: momentum coefficient
- **Action**: REPLACE
- **Replacement**:
  - 0.9
- **Metrics**: Top-1 accuracy (%), Robustness
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plan.md"
    path.write_text(PLAN)
    return path


def call(*arguments: str, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(app, ["import", *arguments])
    assert done.exit_code == code, (done.output, done.stderr)
    return done.stdout, done.stderr


def test_json_has_a_record_per_ablation_and_writes_nothing(plan: Path) -> None:
    first, second = json.loads(call("plan.md", "--json", code=1)[0])
    assert first == {
        "document": "plan.md", "name": "Study of the predictor", "ablated_part": "Predictor",
        "action": "REMOVE", "replacement": [], "metrics": ["Top-1 accuracy (%)"],
        "method": "cocord", "part": "predictor.enabled", "values": [], "baseline": [],
        "study": "study_of_the_predictor.toml", "open": [], "file": "new", "refused": [],
    }  # fmt: skip
    assert (second["part"], second["values"]) == (None, [None])
    assert second["metrics"] == ["Top-1 accuracy (%)", "Robustness"]
    assert len(second["open"]) == 3
    assert '"0.9"' in second["open"][1]
    assert list(plan.parent.iterdir()) == [plan]


def test_studies_are_written_and_their_open_sentences_are_said(plan: Path) -> None:
    stdout, _ = call("plan.md", "--to", "made", code=1)
    assert sorted(path.name for path in Path("made").iterdir()) == [
        "study_of_momentum.toml", "study_of_the_predictor.toml",
    ]  # fmt: skip
    assert "open: " in stdout
    CliRunner().invoke(app, ["init"])
    refused = CliRunner().invoke(app, ["run", "made/study_of_momentum.toml"])
    assert refused.exit_code == 2
    assert stdout.split("open: ")[1].splitlines()[0] in refused.stderr


SCHEDULE = """### Schedule
- **Ablated Part**: learning rate schedule
- **Action**: REPLACE
- **Replacement**: cosine
"""


def test_a_study_that_cannot_run_under_the_default_profile_is_named(plan: Path) -> None:
    plan.write_text(SCHEDULE)
    assert "next: `ablate init`" in call("plan.md")[0]
    CliRunner().invoke(app, ["init"])
    stdout, _ = call("plan.md", code=1)
    assert "profile quick" in stdout
    assert "equals the baseline" in stdout
    assert "next: `ablate run schedule.toml --profile paper`" in stdout
    assert "lr_schedule" in json.loads(call("plan.md", "--json", code=1)[0])[0]["refused"][0]
    plan.write_text(SCHEDULE.replace("cosine", "constant"))
    assert "next: `ablate run schedule.toml`" in call("plan.md", "--replace")[0]
    preview = CliRunner().invoke(app, ["preview", "schedule.toml"])
    assert preview.exit_code == 0, preview.stderr


def test_importing_again_says_what_became_of_the_file_that_was_there(plan: Path) -> None:
    plan.write_text(SCHEDULE)
    call("plan.md")
    assert "was there already)" in call("plan.md")[0]
    before = Path("schedule.toml").read_text()
    plan.write_text(SCHEDULE.replace("cosine", "constant"))
    stdout, _ = call("plan.md", code=1)
    assert "left as it is" in stdout
    assert "--replace" in stdout
    assert "next" not in stdout
    assert Path("schedule.toml").read_text() == before
    assert "written anew" in call("plan.md", "--replace")[0]
    assert '"constant"' in Path("schedule.toml").read_text()
    assert [path.name for path in Path().glob("*.toml")] == ["schedule.toml"]


def test_one_bad_document_stops_writing_but_not_reading(plan: Path) -> None:
    Path("prose.md").write_text("nothing\n")
    _, stderr = call("plan.md", "prose.md", "--to", "made", code=2)
    assert "prose.md" in stderr
    assert not Path("made").exists()
    stdout, stderr = call("plan.md", "prose.md", "--json", code=2)
    assert len(json.loads(stdout)) == 2
    assert "prose.md" in stderr


def test_another_method_is_looked_up_in_its_own_words(plan: Path) -> None:
    records = json.loads(call("plan.md", "--json", "--method", "kd", code=1)[0])
    assert {record["method"] for record in records} == {"kd"}
    assert records[0]["part"] is None
    assert '"cocord"' in call("plan.md", "--method", "cocrd", code=2)[1]


def test_a_script_is_found_from_the_folder_of_the_studies(plan: Path) -> None:
    Path("net.toml").write_text(
        'title = "Net"\ncommand = ["{python}", "fit.py", "{seed}"]\ncode = ["fit.py"]\n'
        '[[metric]]\nname = "acc"\npattern = "acc=([0-9.]+)"\nbetter = "higher"\n'
        '[[part]]\nname = "lr"\nbaseline = 0.1\nabove = 0\nflag = "--lr"\n'
    )
    Path("fit.py").touch()
    CliRunner().invoke(app, ["init"])
    plan.write_text(
        "### Rate\n- **Ablated Part**: lr\n- **Action**: REPLACE\n- **Replacement**: 0.2\n"
    )
    stdout, _ = call("plan.md", "--method", "net.toml", "--to", "made")
    assert "next: `ablate run made/rate.toml`" in stdout
    assert 'method = "../net.toml"' in Path("made/rate.toml").read_text()


def test_a_plan_that_is_run_leads_to_the_import(plan: Path) -> None:
    CliRunner().invoke(app, ["init"])
    refused = CliRunner().invoke(app, ["run", "plan.md"])
    assert refused.exit_code == 2
    assert "`ablate import plan.md`" in refused.stderr
