"""The networks against numbers recorded from the field's own implementations."""

from __future__ import annotations

import copy
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.errors import InputError
from ablate.training.networks import Network, build, names

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "golden" / "models.json").read_text()
)
IMAGENET = tuple(f"resnet{depth}_imagenet" for depth in (18, 34, 50, 101))
SLOW = {"ResNet50", "vgg16", "vgg19", "resnet32x4", *IMAGENET}  # left out at 32×32 where any does
FAMILIES = (  # one of each file
    "resnet20",
    "ResNet50",
    "wrn_16_2",
    "vgg8",
    "MobileNetV2",
    "ShuffleV1",
    "ShuffleV2",
    "resnet18_imagenet",
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def fill(network: Network) -> None:
    """Set every weight and buffer to the golden fill, see tests/golden."""
    start = 0
    for key, tensor in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            tensor.zero_()
            continue
        index = torch.arange(start, start + tensor.numel(), dtype=torch.float64)
        base = torch.sin(index * 0.7548776662466927).reshape(tensor.shape)
        start += tensor.numel()
        if key.endswith("running_var") or (tensor.ndim == 1 and key.endswith("weight")):
            tensor.copy_(1 + 0.1 * base)
        elif tensor.ndim == 1:
            tensor.copy_(0.1 * base)
        else:
            tensor.copy_(0.7 * base * math.sqrt(6 / tensor[0].numel()))


def golden_images() -> Tensor:
    index = torch.arange(2 * 3 * 32 * 32, dtype=torch.float64)
    return torch.sin(index * 0.5698402909980532).reshape(2, 3, 32, 32)


def assert_trains(network: Network, images: Tensor, num_classes: int) -> None:
    """One forward and backward pass gives finite logits and a gradient to every parameter."""
    logits = network.train()(images)
    assert logits.shape == (len(images), num_classes)
    assert logits.isfinite().all()
    torch.nn.functional.cross_entropy(logits, torch.arange(len(images))).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


def test_all_names_are_there() -> None:
    assert set(names()) == {*GOLDEN, *IMAGENET}
    assert len(names()) == 26


@pytest.mark.parametrize("name", GOLDEN)
def test_state_dict_has_the_fields_keys_and_shapes_in_order(name: str) -> None:
    network = build(name, num_classes=100)
    state = [[key, list(tensor.shape)] for key, tensor in network.state_dict().items()]
    assert state == GOLDEN[name]["state_dict"]
    assert network.feature_dim == GOLDEN[name]["feature_dim"]
    assert sum(p.numel() for p in network.parameters()) == GOLDEN[name]["num_params"]


@pytest.mark.parametrize("name", GOLDEN)
def test_logits_and_features_equal_the_recorded_ones(name: str) -> None:
    golden = GOLDEN[name]
    network = build(name, num_classes=100).double().eval()
    fill(network)
    with torch.no_grad():
        features = network.features(golden_images())
        logits = network.classify(features)
    assert features.shape == (2, golden["feature_dim"])
    recorded = torch.tensor(golden["logits"], dtype=torch.float64)
    torch.testing.assert_close(logits[:, :8], recorded, rtol=0, atol=1e-8)
    assert logits.norm().item() == pytest.approx(golden["logits_l2"], rel=1e-8)
    assert features.norm().item() == pytest.approx(golden["features_l2"], rel=1e-8)


@pytest.mark.parametrize("name", names())
def test_trains_on_single_channel_images_of_8_pixels(name: str) -> None:
    assert_trains(build(name, 10, in_channels=1), torch.randn(2, 1, 8, 8), 10)


@pytest.mark.parametrize("name", [name for name in names() if name not in SLOW])
def test_trains_on_single_channel_images_of_32_pixels(name: str) -> None:
    assert_trains(build(name, 10, in_channels=1), torch.randn(2, 1, 32, 32), 10)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [(9, 13), (64, 64)], ids=["odd", "64"])
def test_any_size_gives_features_of_the_same_width(name: str, size: tuple[int, int]) -> None:
    network = build(name, 10).eval()
    with torch.no_grad():
        features = network.features(torch.randn(1, 3, *size))
    assert features.shape == (1, network.feature_dim)


@pytest.mark.parametrize("name", FAMILIES)
def test_forward_is_classify_of_features(name: str) -> None:
    network = build(name, 10).eval()
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(network(images), network.classify(network.features(images)))


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_follow_torchs_generator_and_nothing_else(name: str) -> None:
    one = build(name, 10, in_channels=1)
    after_one = torch.get_rng_state()
    torch.manual_seed(0)
    two = build(name, 10, in_channels=1)
    assert torch.equal(after_one, torch.get_rng_state())
    for (key, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b), key


@pytest.mark.parametrize("name", FAMILIES)
def test_a_copy_is_independent_and_equal(name: str) -> None:
    network = build(name, 10).eval()
    twin = copy.deepcopy(network)
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        before = twin(images)
        for parameter in network.parameters():
            parameter.zero_()
        assert torch.equal(twin(images), before)
        assert not torch.equal(network(images), before)


@pytest.mark.parametrize("name", ["resnet20", "wrn_16_2", "vgg8", "MobileNetV2"])
def test_convolutions_start_from_he_normal_over_fan_out(name: str) -> None:
    network = build(name, 10)
    z = [
        module.weight.flatten() * math.sqrt(module.out_channels * math.prod(module.kernel_size) / 2)
        for module in network.modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    assert torch.cat(z).mean().item() == pytest.approx(0, abs=0.02)
    assert torch.cat(z).std().item() == pytest.approx(1, abs=0.02)


def test_vgg_pools_once_more_from_64_pixels() -> None:
    network = build("vgg8", 10).eval()
    sizes: list[int] = []
    network.get_submodule("block4").register_forward_hook(
        lambda _module, _inputs, maps: sizes.append(maps.shape[-1])
    )
    with torch.no_grad():
        for size in (8, 32, 64):
            network(torch.randn(1, 3, size, size))
    assert sizes == [1, 4, 4]


@pytest.mark.parametrize("depth", [18, 50])
def test_imagenet_networks_are_torchvisions(depth: int) -> None:
    from torchvision.models import get_model

    theirs = get_model(f"resnet{depth}", weights=None, num_classes=10).eval()
    ours = build(f"resnet{depth}_imagenet", 10).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))
    assert ours.feature_dim == theirs.fc.in_features


def test_torchvision_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, ablate.training.networks as n; n.build('resnet8', 10); "
    code += "assert 'torchvision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("wrong", "right"), [("resnet9", "resnet8"), ("wrn-40-2", "wrn_40_2"), ("ResNet5", "ResNet50")]
)
def test_an_unknown_name_is_refused_with_the_closest(wrong: str, right: str) -> None:
    with pytest.raises(InputError, match=re.escape(f'did you mean "{right}"?')) as caught:
        build(wrong, 10)
    assert wrong in str(caught.value)


def test_a_name_like_no_other_is_refused_with_all_names() -> None:
    with pytest.raises(InputError, match="one of: resnet8, "):
        build("qqq", 10)


#: Family -> deviation of the classifier's weights and whether its bias is 0, as in RepDistiller's
#: sources; None where it keeps what torch draws, uniformly within 1/√features.
STARTS: dict[str, tuple[float | None, bool]] = {
    "resnet20": (None, False),
    "ResNet50": (None, False),
    "wrn_16_2": (None, True),
    "vgg8": (0.01, True),
    "MobileNetV2": (0.01, True),
    "ShuffleV1": (None, False),
    "ShuffleV2": (None, False),
}


@pytest.mark.parametrize("name", STARTS)
def test_first_weights_are_drawn_as_the_field_draws_them(name: str) -> None:
    deviation, no_bias = STARTS[name]
    network = build(name, 100, 3)
    layer = network.get_submodule(network.classifier_name)
    assert isinstance(layer, torch.nn.Linear)
    usual = (3 * network.feature_dim) ** -0.5
    assert layer.weight.std().item() == pytest.approx(deviation or usual, rel=0.05)
    assert (layer.bias.count_nonzero() == 0) == no_bias
    for conv in network.modules():
        if isinstance(conv, torch.nn.Conv2d):
            assert conv.bias is None or conv.bias.count_nonzero() == 0
            if not name.startswith("Shuffle") and conv.weight.numel() > 4000:
                he = math.sqrt(2 / (conv.out_channels * conv.weight[0, 0].numel()))
                assert conv.weight.std().item() == pytest.approx(he, rel=0.08)
