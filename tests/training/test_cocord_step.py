"""The CoCoRD step: which passes run, what moves, and what each part changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablate.methods.cocord_config import CoCoRDConfig
from ablate.training import losses, networks
from ablate.training.cocord_step import CoCoRD
from ablate.training.precision import Precision
from ablate.training.step import Batch, Needs, OptimizerStep

N, CLASSES = 6, 10
FP32 = Precision("fp32", torch.device("cpu"))
NARROW, WIDE = "resnet8", "wrn_16_2"  # 64 and 128 features


def config(**changes: object) -> CoCoRDConfig:
    tiny = {"dictionary": 10, "width": 8, "embedding": 4, "predictor_width": 4}
    return CoCoRDConfig(**{**tiny, **changes})  # type: ignore[arg-type]


def module(teacher: str = "resnet14", **changes: Any) -> CoCoRD:
    torch.manual_seed(1)
    student, taught_by = (networks.build(name, CLASSES, 1) for name in (NARROW, teacher))
    return CoCoRD(config(**changes), student, taught_by, taught_by.feature_dim, seed=3)


def batch(step: int = 0, views: Iterable[str] = "qkt") -> Batch:
    images = {}
    for view in views:
        random = torch.Generator().manual_seed(step * 3 + "qkt".index(view))
        images[view] = torch.randn(N, 1, 8, 8, generator=random)
    return Batch(images, torch.arange(N) % CLASSES, torch.arange(N), step)


def run(cocord: CoCoRD, steps: int = 2, lr: float = 0.05) -> list[Tensor]:
    """Train; return the total loss of each step."""
    learned = [p for p in cocord.parameters() if p.requires_grad]
    step = OptimizerStep(cocord, torch.optim.SGD(learned, lr, 0.9), FP32)
    return [step(batch(number))["loss"] for number in range(steps)]


def passes(cocord: CoCoRD) -> tuple[dict[str, int], str]:
    """Passes of each network in one step, and the views that were rendered."""
    ran: Counter[str] = Counter()
    firsts = {
        "student": cocord.student.conv1,
        "slow_student": cocord.slow_student.conv1,
        "teacher": cocord.teacher.conv1,
        "student_head": cocord.student_head[0],
        "slow_head": cocord.slow_head[0],
        "teacher_head": cocord.teacher_head[0],
        "predictor": cocord.predictor,
    }
    for name, layer in firsts.items():
        layer.register_forward_hook(lambda *_, name=name: ran.update([name]))
    views = {*cocord.needs.views, *cocord.needs.teacher}
    cocord(batch(views=views))
    return dict(ran), "".join(sorted(views))


ALL = {"student": 2, "slow_student": 2, "teacher": 1, "student_head": 2, "slow_head": 2,
       "teacher_head": 1, "predictor": 2}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected", "views"),
    [
        ({}, ALL, "kqt"),
        ({"weight_ctr": 0}, ALL | {"teacher": 0, "teacher_head": 0}, "kq"),
        ({"weight_cls": 0}, ALL, "kqt"),
        ({"weight_pred": 0},
         {"student": 1, "teacher": 1, "student_head": 1, "teacher_head": 1}, "qt"),
        ({"direction": "pred"},
         {"student": 1, "slow_student": 1, "teacher": 1, "student_head": 1, "slow_head": 1,
          "teacher_head": 1, "predictor": 1}, "kqt"),
        ({"direction": "pred_sym"},
         {"student": 2, "slow_student": 1, "teacher": 1, "student_head": 2, "slow_head": 1,
          "teacher_head": 1, "predictor": 1}, "kqt"),
        ({"direction": "pred_sym", "weight_ctr": 0, "weight_cls": 0},
         {"student": 1, "slow_student": 1, "student_head": 1, "slow_head": 1, "predictor": 1},
         "kq"),
        ({"direction": "pred_sym", "weight_ctr": 0},  # logits of q need no head
         {"student": 2, "slow_student": 1, "student_head": 1, "slow_head": 1, "predictor": 1},
         "kq"),
        ({"weight_ctr": 0, "weight_pred": 0}, {"student": 1}, "q"),
        ({"weight_ctr": 0, "weight_pred": 0, "weight_kd": 1}, {"student": 1, "teacher": 1}, "q"),
        ({"weight_kd": 1}, ALL | {"teacher": 2}, "kqt"),
        # What another loss has computed already is not computed again.
        ({"weight_kd": 1, "cognate": "teacher"},
         ALL | {"teacher": 3, "teacher_head": 3, "slow_student": 0, "slow_head": 0}, "kqt"),
        ({"contrastive_view": "k", "cognate": "teacher"},
         ALL | {"teacher": 2, "teacher_head": 2, "slow_student": 0, "slow_head": 0}, "kq"),
        ({"cognate": "student"}, ALL | {"slow_student": 0, "slow_head": 0}, "kqt"),
        ({"contrastive": "student", "contrastive_view": "k"},
         ALL | {"teacher": 0, "teacher_head": 0}, "kq"),
        ({"contrastive": "student"},
         ALL | {"teacher": 0, "teacher_head": 0, "student": 3, "student_head": 3}, "kqt"),
        ({"contrastive": "slow_student", "contrastive_view": "q"},
         ALL | {"teacher": 0, "teacher_head": 0}, "kq"),
    ],
)  # fmt: skip
def test_cost_follows_the_variant(
    changes: dict[str, Any], expected: dict[str, int], views: str
) -> None:
    ran, rendered = passes(module(**changes))
    assert ran == {name: count for name, count in expected.items() if count}
    assert rendered == views


def test_features_from_a_table_run_no_teacher_and_render_no_view() -> None:
    cocord = module(weight_kd=1.0)
    one = batch()
    features = {view: cocord.teacher.features(one.views[view]) for view in "qt"}
    expected = cocord(one)
    again = module(weight_kd=1.0)
    looked_up = replace(batch(views=again.needs.views), teacher=features)
    ran = Counter[str]()
    again.teacher.conv1.register_forward_hook(lambda *_: ran.update(["teacher"]))
    assert torch.equal(again(looked_up).total, expected.total)
    assert not ran
    assert again.needs == Needs(("k", "q"), ("q", "t"))


@pytest.mark.parametrize("teacher", ["resnet14", WIDE])
@pytest.mark.parametrize("mismatch", ["matching-layers", "adapter"])
@pytest.mark.parametrize("encoders", list(product(*[("teacher", "student", "slow_student")] * 2)))
def test_every_encoder_combination_trains(
    encoders: tuple[str, str], mismatch: str, teacher: str
) -> None:
    contrastive, cognate = encoders
    cocord = module(teacher, contrastive=contrastive, cognate=cognate, mismatch=mismatch)
    frozen = {k: v.clone() for k, v in cocord.teacher.state_dict().items()}
    totals = run(cocord)
    assert all(total.isfinite() for total in totals)
    learned = {name.partition(".")[0] for name, p in cocord.named_parameters() if p.requires_grad}
    adapter = {"adapter"} if mismatch == "adapter" and teacher == WIDE else set()
    assert learned == {"student", "student_head", "predictor"} | adapter
    assert all(p.grad is not None for p in cocord.parameters() if p.requires_grad)
    for key, value in cocord.teacher.state_dict().items():
        assert torch.equal(value, frozen[key]), key


def moved(cocord: CoCoRD, part: str, steps: int = 3) -> set[str]:
    """Parameters of a submodule that a few steps change."""
    before = {k: p.clone() for k, p in cocord.get_submodule(part).named_parameters()}
    run(cocord, steps)
    after = dict(cocord.get_submodule(part).named_parameters())
    return {key for key in after if not torch.equal(after[key], before[key])}


HEAD = {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"}


@pytest.mark.parametrize(
    ("teacher", "mismatch", "momentum", "expected"),
    [
        (WIDE, "matching-layers", 0.999, HEAD - {"0.weight", "0.bias"}),
        (WIDE, "matching-layers", 1.0, set()),
        (WIDE, "adapter", 0.999, HEAD),
        (WIDE, "adapter", 1.0, set()),
        ("resnet14", "matching-layers", 0.999, HEAD),
        ("resnet14", "matching-layers", 1.0, set()),
    ],
)
def test_teacher_head_moves_by_the_mismatch_rule(
    teacher: str, mismatch: str, momentum: float, expected: set[str]
) -> None:
    # Without BatchNorm, which would keep the gradient of the first bias at 0.
    changes = {"mismatch": mismatch, "teacher_head_momentum": momentum, "norm": "layer"}
    cocord = module(teacher, **changes)
    assert moved(cocord, "teacher_head") == expected


@pytest.mark.parametrize(
    ("changes", "followed"),
    [
        ({}, {"teacher_head", "slow_student", "slow_head"}),
        ({"weight_ctr": 0}, {"slow_student", "slow_head"}),
        ({"weight_pred": 0}, {"teacher_head"}),
        ({"weight_ctr": 0, "weight_pred": 0}, set()),
        ({"contrastive": "student", "cognate": "teacher"}, {"teacher_head"}),
        ({"contrastive": "slow_student"}, {"slow_student", "slow_head"}),
    ],
)
def test_averages_follow_only_where_a_loss_looks_at_them(
    changes: dict[str, Any], followed: set[str]
) -> None:
    averages = "teacher_head", "slow_student", "slow_head"
    assert {part for part in averages if moved(module(**changes), part)} == followed


def test_teacher_head_starts_as_a_copy_only_where_all_of_it_matches() -> None:
    def alike(cocord: CoCoRD) -> list[bool]:
        slow, fast = cocord.teacher_head.state_dict(), cocord.student_head.state_dict()
        return [torch.equal(slow[k], fast[k]) for k in ("0.weight", "3.weight")]

    assert alike(module()) == [True, True]
    assert alike(module(WIDE, mismatch="adapter")) == [True, True]
    assert alike(module(WIDE)) == [False, False]


def test_at_equal_widths_both_mismatch_rules_are_the_published_update() -> None:
    one, other = module(), module(mismatch="adapter")
    assert [*map(float, run(one))] == [*map(float, run(other))]
    states = one.state_dict(), other.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_slow_student_is_the_average_of_weights_before_the_step(momentum: float) -> None:
    cocord: Any = module(slow_momentum=momentum)
    slow = cocord.slow_student.conv1.weight.clone()
    for step in range(3):
        fast = cocord.student.conv1.weight.detach().clone()
        buffers = {k: v.clone() for k, v in cocord.student.named_buffers()}
        optimizer = torch.optim.SGD(cocord.student.parameters(), 0.1)
        result = cocord(batch(step))
        slow = momentum * slow + (1 - momentum) * fast
        torch.testing.assert_close(cocord.slow_student.conv1.weight, slow)
        result.total.backward()
        optimizer.step()
        assert buffers["bn1.num_batches_tracked"] + 2 == cocord.student.bn1.num_batches_tracked
    # Each branch tracks its own statistics: they are nobody's average.
    assert not torch.equal(cocord.slow_student.bn1.running_mean, cocord.student.bn1.running_mean)


@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_heads_of_every_shape_train(depth: int, norm: str) -> None:
    cocord = module(depth=depth, norm=norm)
    assert sum(isinstance(layer, nn.Linear) for layer in cocord.student_head) == depth
    assert cocord.student_head[-1].out_features == 4
    assert all(total.isfinite() for total in run(cocord))


def test_published_head_is_numbered_as_checkpoints_number_it() -> None:
    kinds = [type(layer) for layer in module().student_head]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]


def test_without_predictor_the_embedding_itself_predicts() -> None:
    cocord = module(predictor=False, weight_ctr=0, weight_cls=0, direction="pred")
    one = batch()
    z = cocord.student_head(cocord.student.features(one.views["q"]))
    y = cocord.slow_head(cocord.slow_student.features(one.views["k"]))
    torch.testing.assert_close(cocord(one).terms["pred"], losses.prediction(z, y))


@pytest.mark.parametrize("sizes", [(10,), (3, 3, 3, 3), (7, 7, 7), (1,) * 23, (10, 4, 9)])
def test_dictionary_is_a_ring(sizes: tuple[int, ...]) -> None:
    cocord = module()
    expected = [row.clone() for row in cocord.queue]
    written = 0
    for size in sizes:
        keys = losses.unit(torch.randn(size, 4))
        cocord.enqueue(keys)
        for key in keys:
            expected[written % 10] = key
            written += 1
        assert torch.equal(cocord.queue, torch.stack(expected))
        assert cocord.queue_ptr == written % 10


def test_keys_enter_after_the_step_and_only_once() -> None:
    cocord = module()
    before = cocord.queue.clone()
    cocord(batch())
    assert torch.equal(cocord.queue, before)
    cocord.finish_step()
    cocord.finish_step()
    assert cocord.queue_ptr == N
    torch.testing.assert_close(cocord.queue.norm(dim=1), torch.ones(10))
    assert torch.equal(cocord.queue[N:], before[N:])


def test_what_has_no_gradient_has_none() -> None:
    cocord = module(weight_kd=1.0)
    cocord(batch()).total.backward()
    for name, parameter in cocord.named_parameters():
        learned = name.partition(".")[0] in ("student", "student_head", "predictor")
        assert (parameter.grad is not None) == learned, name


def test_contrastive_accuracy_counts_the_own_key() -> None:
    measured = []
    for step in range(3):
        cocord, one = module(), batch(step)
        with torch.no_grad():
            z = cocord.student_head(cocord.student.features(one.views["q"]))
            keys = cocord.teacher_head(cocord.teacher.features(one.views["t"]))
        cosine = nn.functional.cosine_similarity
        own = [
            bool((cosine(query, key, dim=0) > cosine(query, cocord.queue)).all())
            for query, key in zip(z, keys, strict=True)
        ]
        accuracy = module()(one).measured["contrast_acc"]
        assert accuracy == pytest.approx(100 * sum(own) / N)
        assert not accuracy.requires_grad
        measured.append(float(accuracy))
    assert len(set(measured)) > 1, "too much alike to have shown anything"


def test_seed_decides_heads_and_dictionary() -> None:
    student, teacher = (networks.build(name, CLASSES, 1) for name in (NARROW, "resnet14"))
    queues = [CoCoRD(config(), student, teacher, 64, seed=seed).queue for seed in (0, 0, 1)]
    assert torch.equal(queues[0], queues[1])
    assert not torch.equal(queues[0], queues[2])


def test_a_checkpoint_leaves_the_teacher_out() -> None:
    cocord = module()
    state = cocord.saved_state()
    assert not [key for key in state if key.startswith("teacher.")]
    run(cocord)
    other = module()
    other.restore({key: value.clone() for key, value in cocord.saved_state().items()})
    assert all(torch.equal(a, b) for a, b in zip(
        cocord.state_dict().values(), other.state_dict().values(), strict=True
    ))  # fmt: skip
