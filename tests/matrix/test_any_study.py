"""Any study at all is refused with reasons, or expands into rows that differ from each other."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.matrix.expand import expand
from ablate.matrix.plan import Matrix, Role
from ablate.methods.parts import same
from ablate.methods.registry import BUILT_IN
from ablate.study.parse import read_document
from ablate.study.settings import load_settings
from tests.matrix.study_lab import ROOT

SETTINGS = load_settings(ROOT / "ablate.toml")
PARTS = [part for method in BUILT_IN.values() for part in method.parts]
NUMBERS = st.sampled_from([0, 1, 2, 64, 256, 4096, -1, 0.0, 0.05, 0.1, 0.5, 0.9, 0.999, 1.0, 8.0])
NAMES = st.sampled_from([part.name for part in PARTS] + ["temprature", "head"])
LABELS = st.sampled_from(
    [label for part in PARTS for label in part.value_labels.values()]
    + ["both", "pred", "adapter", "student", "none", "layer", "crop-flip-jitter", "off", ""]
)
VALUES = NUMBERS | LABELS | st.booleans()
TABLES = st.dictionaries(NAMES, VALUES, max_size=3)
PROFILES = {"profiles": st.lists(st.sampled_from(["quick", "paper", "papr"]), max_size=2)}
PAIRS = st.lists(
    st.sampled_from(
        ["resnet14/resnet8", "resnet8x4/resnet8", "vgg13/MobileNetV2", "resnet8", "x/y"]
    )
    | st.fixed_dictionaries(
        {"student": st.sampled_from(["resnet8", "vgg8"])},
        optional={"teacher": st.just("vgg13"), "teacher_checkpoint": st.just("no.pth")},
    ),
    max_size=2,
)
ABLATIONS = st.fixed_dictionaries(
    {"ablated_part": NAMES, "replacement": st.lists(VALUES, max_size=3)},
    optional={
        "action": st.sampled_from(["REPLACE", "REMOVE", "ADD"]), "baseline": VALUES, **PROFILES
    },
)  # fmt: skip
GRIDS = st.fixed_dictionaries(
    {"parts": st.dictionaries(NAMES, st.lists(VALUES, max_size=3), max_size=2)}, optional=PROFILES
)
VARIANTS = st.fixed_dictionaries(
    {"set": TABLES}, optional={"label": st.sampled_from(["CoCoRD", "KD", "mine"]), **PROFILES}
)
DOCUMENTS = st.fixed_dictionaries(
    {"title": st.just("T"), "method": st.sampled_from(list(BUILT_IN)), "pairs": PAIRS},
    optional={
        "ablation": st.lists(ABLATIONS, max_size=3),
        "grid": st.lists(GRIDS, max_size=2),
        "variant": st.lists(VARIANTS, max_size=2),
        "references": st.lists(st.sampled_from([*BUILT_IN, "kdd"]), max_size=3),
        "baseline": TABLES,
        "seeds": st.lists(st.integers(0, 3), max_size=2),
        "metrics": st.lists(st.sampled_from(["top1", "loss", "spee"]), max_size=2),
    },
)


def allowed() -> list[dict[str, object]]:
    """Ablations that are fine by themselves, though not on every pair or beside each other."""
    found: list[dict[str, object]] = []
    for part in BUILT_IN["cocord"].parts:
        for value in (0, 0.5, 1, 2, 300, "pred", "adapter", "student", "none", "layer", False):
            with contextlib.suppress(ValueError):
                if not same(part.parse(value), part.baseline):
                    found.append({"ablated_part": part.name, "replacement": [value]})
    return found


#: Most of these expand.
SOUND = st.fixed_dictionaries(
    {
        "title": st.just("T"),
        "method": st.sampled_from(["cocord", "cocord+kd"]),
        "pairs": st.just(["resnet8x4/resnet8"]),
        "ablation": st.lists(st.sampled_from(allowed()), min_size=1, max_size=3),
    },
    optional={"references": st.lists(st.sampled_from(["student", "kd", "crd"]), unique=True)},
)


def check(matrix: Matrix) -> None:
    plan = matrix.plan
    labels = [variant.label for variant in plan.variants]
    assert len(set(labels)) == len(labels)
    assert [v.role for v in plan.variants].count(Role.BASELINE) == 1
    ids: dict[tuple[str, int], list[str]] = {}
    place = {job.id: i for i, job in reversed(list(enumerate(plan.jobs)))}
    for i, job in enumerate(plan.jobs):
        assert all(place[up] < i for up in job.upstream)
        if job.variant is not None:
            ids.setdefault((job.pair, job.seed), []).append(job.id)
    for group in ids.values():
        assert len(group) == len(labels)
        assert len(set(group)) == len(group), "two rows would be one job"
    for config in matrix.configs.values():
        if config.kind == "teacher":
            assert config.settings["views.augmentation"] == "crop-flip"


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.sampled_from(["quick", "paper"]), TABLES)
def test_any_document_expands_or_is_refused_with_reasons(
    document: dict[str, object], profile: str, overrides: dict[str, str | int | float | bool]
) -> None:
    try:
        study = read_document(document, Path("study.toml"))
        matrix = expand(study, SETTINGS, profile, {k: v for k, v in overrides.items() if k != "lr"})
    except InputError as error:
        assert error.problems
        assert len(set(error.problems)) == len(error.problems), "each problem once"
        assert all(p.message and p.where for p in error.problems)
        return
    if "views.augmentation" not in overrides:
        check(matrix)


def test_what_expands_has_rows_that_differ() -> None:
    expanded = []

    @settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
    @given(SOUND)
    def expand_any(document: dict[str, object]) -> None:
        try:
            study = read_document(document, Path("study.toml"))
            matrix = expand(study, SETTINGS, "quick", seeds=[0, 1])
        except InputError:
            return
        expanded.append(matrix)
        check(matrix)

    expand_any()
    assert len(expanded) > 20, "too few to have shown anything"
