"""Networks that know nothing of distillation: torchvision's, and a user's own."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from ablate.errors import InputError
from ablate.methods.torchvision_networks import TORCHVISION
from ablate.training.networks import build, names
from ablate.training.networks.adapted import Adapted, check, own_network

OWN = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, num_classes, width):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.scale = nn.Parameter(torch.ones(1))
        self.top = nn.Sequential(nn.Linear(width, 24), nn.ReLU(), nn.Linear(24, num_classes))

    def forward(self, images):
        return self.top(self.scale * self.stem(images).mean((2, 3)))


class Strange(Small):
    def forward(self, images):
        return super().forward(images).softmax(1)


def build(name, num_classes):
    print("a user's file may print")
    if name == "strange":
        return Strange(num_classes, 8)
    return Small(num_classes, {"narrow": 8, "wide": 16}[name])


def text(name, num_classes):
    return "no network"


def grey(name, num_classes, in_channels):
    network = Small(num_classes, 8)
    network.stem[0] = nn.Conv2d(in_channels, 8, 3, 2, 1)
    return network
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "my_nets.py").write_text(OWN)
    return tmp_path / "my_nets.py"


def small(file: Path, name: str = "narrow") -> Adapted:
    network = own_network(file, "build", name, 10, 3)
    assert isinstance(network, Adapted)
    return network


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_torchvisions_networks_have_features_and_a_classifier(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, 7).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        features = network.features(images)
        assert features.shape == (2, TORCHVISION[name])
        assert torch.equal(network.classify(features), network(images))
    check(network, name, 3, 32)


def test_keys_are_torchvisions_own() -> None:
    from torchvision.models import get_model

    theirs = get_model("mobilenet_v3_small", num_classes=7).state_dict()
    ours = build("mobilenet_v3_small", 7).state_dict()
    assert list(ours) == list(theirs)


def test_the_catalogue_knows_torchvisions_widths() -> None:
    from torchvision.models import get_model

    for name, width in TORCHVISION.items():
        if name.startswith("regnet"):  # which can't be built without memory
            continue
        options = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):
            network = Adapted(get_model(name, num_classes=7, **options))
        assert network.feature_dim == width, name


@pytest.mark.parametrize("name", ["regnet_x_400mf", "regnet_y_400mf", "regnet_x_1_6gf"])
def test_regnets_are_as_wide_as_the_catalogue_says(name: str) -> None:
    assert build(name, 7).feature_dim == TORCHVISION[name]


def test_a_name_of_both_is_the_packages_own() -> None:
    assert "vgg13" in names()
    assert not isinstance(build("vgg13", 10), Adapted)


def test_grey_images_are_shown_as_three_equal_channels() -> None:
    network = build("resnet18", 7, in_channels=1).eval()
    images = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        assert network(images).shape == (2, 7)


def test_a_users_network_trains_copies_and_moves_as_one(file: Path) -> None:
    network = small(file)
    assert network.feature_dim == 24
    twin = copy.deepcopy(network)
    network(torch.randn(4, 3, 16, 16)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        before = twin.eval()(images)
        for parameter in network.parameters():
            parameter.zero_()
        assert torch.equal(twin(images), before)
        assert not network.eval()(images).any()
    assert network.double()(images.double()).dtype == torch.float64
    assert {key.split(".")[0] for key in network.state_dict()} == {"stem", "scale", "top"}
    network.train()
    assert network.__dict__["inner"].training


def test_gradients_reach_the_layers_in_front_of_the_classifier_only(file: Path) -> None:
    network = small(file)
    network.features(torch.randn(4, 3, 16, 16)).sum().backward()
    without = [key for key, value in network.named_parameters() if value.grad is None]
    assert without == ["top.2.weight", "top.2.bias"]


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        ("build", "strange", "after its last linear layer"),
        ("text", "narrow", "no nn.Module"),
        ("nothing", "narrow", "no function nothing"),
    ],
)
def test_what_is_no_such_network_is_refused(
    file: Path, function: str, name: str, words: str
) -> None:
    with pytest.raises((InputError, ValueError), match=words):
        check(own_network(file, function, name, 10, 3), name, 3, 16)


def test_a_network_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="no linear layer"):
        Adapted(nn.Conv2d(3, 10, 3))


def test_images_that_a_network_cannot_take_are_refused() -> None:
    with pytest.raises(InputError, match="can't take 16×16 images"):
        check(build("alexnet", 10), "alexnet", 3, 16)


def test_a_function_may_ask_for_the_number_of_channels(file: Path) -> None:
    network = own_network(file, "grey", "any", 10, 1)
    assert network.state_dict()["stem.0.weight"].shape == (8, 1, 3, 3)
    check(network, "any", 1, 16)
