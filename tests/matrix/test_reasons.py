"""Why a job would run: what is new about it, against the closest earlier job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ablate.matrix.reasons import EarlierConfigs, differences, reason
from ablate.methods.session import JobConfig

BASE = JobConfig(
    kind="student",
    method="cocord",
    program="m:f",
    seed=0,
    settings={"temperature": 0.1, "epochs": 16, "flag": True},
    networks={"teacher": "resnet14", "student": "resnet8"},
    data="digits",
    upstream={"teacher": "a" * 64},
    inputs={"data": "1"},
    code="c",
)


def changed(**fields: Any) -> JobConfig:
    settings = {**BASE.settings, **fields.pop("settings", {})}
    return replace(BASE, settings=settings, **fields)


@pytest.mark.parametrize(
    ("job", "named"),
    [
        (changed(settings={"temperature": 0.2}), ["setting changed", "temperature 0.1 → 0.2"]),
        (changed(settings={"flag": 1}), ["flag true → 1"]),
        (changed(settings={"new": "x"}), ['new none → "x"']),
        (changed(code="d"), ["code changed"]),
        (changed(inputs={"data": "2"}), ["input data changed"]),
        (changed(seed=3), ["new seed", "seed 0 → 3"]),
        (changed(data="mnist", inputs={"data": "2"}), ["data digits → mnist"]),
        (changed(networks={"teacher": "vgg13", "student": "resnet8"}),
         ["resnet14/resnet8 → vgg13/resnet8"]),
        (changed(upstream={"teacher": "b" * 64}), ["another teacher"]),
        (changed(settings={"temperature": 0.2}, seed=1, code="d"),
         ["temperature 0.1 → 0.2", "code changed"]),
        (replace(BASE, method="kd"), ["no earlier job of this kind"]),
        (BASE, ["left no result"]),
    ],
)  # fmt: skip
def test_a_reason_names_what_is_new(job: JobConfig, named: list[str]) -> None:
    told = reason(job, EarlierConfigs([BASE]))
    assert all(words in told for words in named), told


def test_without_earlier_jobs_all_is_new() -> None:
    assert reason(BASE, EarlierConfigs([])).startswith("new")


def test_the_closest_earlier_job_counts() -> None:
    far = changed(settings={"temperature": 9.0, "epochs": 1})
    near = changed(settings={"epochs": 16}, seed=7)
    assert reason(changed(seed=1), EarlierConfigs([far, near, far])) == "new seed: seed 7 → 1"


def test_many_settings_are_counted() -> None:
    job = changed(settings={f"part.{i}": i for i in range(9)})
    assert "6 more settings" in reason(job, EarlierConfigs([BASE]))


def test_equal_jobs_do_not_differ() -> None:
    assert differences(BASE, replace(BASE)) == []


def test_the_modules_that_changed_are_named() -> None:
    modules = {"c": {"ours.step": "1", "ours.nets": "1"}, "d": {"ours.step": "2", "ours.nets": "1"}}
    told = reason(changed(code="d"), EarlierConfigs([BASE], modules))
    assert told == "code changed: ours.step"


def test_modules_of_another_data_set_did_not_change() -> None:
    modules = {
        "c": {"ours.step": "1", "ours.digits": "1"},
        "d": {"ours.step": "1", "ours.mnist": "1"},
        "e": {"ours.step": "2", "ours.mnist": "1"},
    }
    earlier = EarlierConfigs([BASE], modules)
    assert reason(changed(code="d", data="mnist"), earlier) == "data digits → mnist"
    both = reason(changed(code="e", data="mnist"), earlier)
    assert both == "data digits → mnist; code changed: ours.step"
    assert reason(changed(code="d"), earlier) == "the training code changed"
