"""The real thing, tiny: torch programs killed in mid-epoch end as if nobody had."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.store.events import Resumed
from tests.execute.chaos import Chaos, consistent
from tests.execute.toy_workshop import Workshop, fork_server, signal_worker, until

REPOSITORY = Path(__file__).parent.parent.parent

#: An epoch of a fraction of a second, on the embedded digits.
TINY = (
    "--set", "epochs=2", "--set", "teacher.epochs=2", "--set", "head.width=32",
    "--set", "head.embedding=16", "--set", "predictor.width=16", "--set", "dictionary.size=200",
    "--seeds", "0",
)  # fmt: skip


def prepare(workshop: Workshop, **execution: object) -> Workshop:
    """Lay out the package's own profiles and a small study of them."""
    workshop.settings(**execution)
    own = (workshop.folder / "ablate.toml").read_text().partition("[profiles.toy]")[0]
    theirs = (REPOSITORY / "ablate.toml").read_text()
    profiles = theirs[theirs.index("[profiles.quick]") :]
    own = own.replace('profile = "toy"', 'profile = "quick"')
    (workshop.folder / "ablate.toml").write_text(own + profiles)
    (workshop.folder / "study.toml").write_text(
        'title = "Direction"\nmethod = "cocord"\npairs = ["resnet8/resnet8"]\n'
        '[[ablation]]\nablated_part = "prediction.direction"\naction = "REPLACE"\n'
        'replacement = ["L_pred only"]\n'
    )
    return workshop


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], tuple[str, str]]:
    made = prepare(Workshop(tmp_path_factory.mktemp("quiet")))
    made.run("study.toml", *TINY)
    return made.outcomes()


def test_training_resumes_to_the_bit(
    workshop: Workshop, quiet: dict[tuple[str, str, int], tuple[str, str]]
) -> None:
    prepare(workshop, checkpoint_every="3 steps")
    run = workshop.start("run", "study.toml", *TINY)
    victim, *_ = workshop.workers(saved=True)
    signal_worker(victim)  # the teacher, in mid-epoch
    until(lambda: workshop.events(Resumed), "its next attempt")
    until(
        lambda: any(
            run.config().kind == "student" and any(run.checkpoints.glob("*.ckpt"))
            for run in workshop.runs()
        ),
        "a student's checkpoint",
    )
    server = fork_server(run)
    run.kill()  # the orchestrator, as students train
    run.wait()
    until(lambda: not server.is_running() or server.status() == "zombie", "its fork server's end")
    workshop.run("study.toml", *TINY)
    assert workshop.outcomes() == quiet
    consistent(workshop)
    teacher = next(h for h in workshop.histories() if h.attempts[0].signal)
    assert teacher.resumed_from


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_long_chaos_of_training(
    workshop: Workshop, quiet: dict[tuple[str, str, int], tuple[str, str]]
) -> None:
    prepare(workshop, checkpoint_every="2 steps", max_retries=1000, retry_delay_s=0.0)
    # Short pauses, so that a fast machine is not done before the last kill.
    chaos = Chaos(workshop, ("run", "study.toml", *TINY), seed=4, longest_s=0.4)
    chaos.go(10)
    assert workshop.outcomes() == quiet
    consistent(workshop)


@pytest.mark.gpu
def test_training_on_a_gpu_resumes_to_the_bit(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = prepare(Workshop(tmp_path / "whole"), devices=["cuda:0"])
    whole.run("study.toml", *TINY)
    prepare(workshop, devices=["cuda:0"], jobs_per_device="auto", checkpoint_every="3 steps")
    run = workshop.start("run", "study.toml", *TINY)
    victim, *_ = workshop.workers(saved=True)
    signal_worker(victim)
    assert workshop.finish(run).returncode == 0
    assert workshop.outcomes() == whole.outcomes()
    assert {str(a.device) for h in workshop.histories() for a in h.attempts} == {"cuda:0"}
    consistent(workshop)
    whole.close()
