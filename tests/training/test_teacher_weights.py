"""Checkpoints of this tool and of others, whole, foreign, damaged and malicious."""

from __future__ import annotations

import argparse
import os
import pickle
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.errors import InputError
from ablate.training import checkpoint, networks
from ablate.training.networks import Network
from ablate.training.teacher_weights import load_weights
from tests.naming import missing_from


def net(name: str = "resnet8", classes: int = 10, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return networks.build(name, classes, 3)


def saved(path: Path, content: object) -> Path:
    torch.save(content, path / "ckpt_epoch_240.pth")
    return path / "ckpt_epoch_240.pth"


def options() -> argparse.Namespace:
    return argparse.Namespace(model="resnet8", lr=0.05, lr_decay_epochs=[150, 180], trial="0")


def field_layout(network: Network, **more: Any) -> dict[str, Any]:
    optimizer = torch.optim.SGD(network.parameters(), 0.1, 0.9)
    network(torch.zeros(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {"epoch": 240, "model": network.state_dict(), "optimizer": optimizer.state_dict(),
            "opt": options(), **more}  # fmt: skip


def under(prefix: str, network: Network) -> dict[str, Any]:
    return {prefix + key: value for key, value in network.state_dict().items()}


#: Layout -> what the file holds, and words of what was decided to get at the weights.
LAYOUTS: dict[str, tuple[Callable[[Network], Any], tuple[str, ...]]] = {
    "bare": (lambda n: n.state_dict(), ()),
    "RepDistiller": (lambda n: field_layout(n, best_acc=torch.tensor(72.3)), ('"model"',)),
    "mdistiller": (lambda n: field_layout(n, accuracy=72.3), ('"model"',)),
    "numpy float64": (lambda n: field_layout(n, best_acc=np.float64(72.3)), ('"model"',)),
    "numpy float32": (lambda n: field_layout(n, best_acc=np.float32(72.3)), ('"model"',)),
    "numpy whole and bool": (
        lambda n: {"model": n.state_dict(), "epoch": np.int64(7), "flag": np.bool_(True)},
        ('"model"',),
    ),
    "numpy array": (lambda n: {"net": n.state_dict(), "losses": np.ones(3)}, ('"net"',)),
    "path": (
        lambda n: {"model": n.state_dict(), "opt": argparse.Namespace(root=Path("data"))},
        ('"model"',),
    ),
    "state_dict": (lambda n: {"state_dict": n.state_dict(), "epoch": 3}, ('"state_dict"',)),
    "tutorial": (
        lambda n: {"epoch": 3, "model_state_dict": n.state_dict(), "optimizer_state_dict": {}},
        ('"model_state_dict"',),
    ),
    "net": (lambda n: {"net": n.state_dict(), "acc": 93.1}, ('"net"',)),
    "model_ema": (lambda n: {"model_ema": n.state_dict(), "step": 3}, ('"model_ema"',)),
    "DataParallel": (lambda n: {"model": under("module.", n)}, ('"model"', '"module."')),
    "compiled": (lambda n: under("_orig_mod.", n), ('"_orig_mod."',)),
    "both": (lambda n: under("module._orig_mod.", n), ('"module._orig_mod."',)),
    "student": (lambda n: {"model": under("module.student.", n)}, ('"module.student."',)),
    "lightning": (
        lambda n: {
            "state_dict": {**under("model.", n), "criterion.weight": torch.ones(10)},
            "pytorch-lightning_version": "2.4.0",
        },
        ('"model."', "1 other tensors left out: criterion.weight"),
    ),
    "backbone": (lambda n: {"state_dict": under("backbone.", n), "meta": {}}, ('"backbone."',)),
    "half": (lambda n: {"model": {k: v.half() for k, v in n.state_dict().items()}}, ('"model"',)),
    "without counters": (
        lambda n: {"model": {k: v for k, v in n.state_dict().items() if "num_batches" not in k}},
        ('"model"',),
    ),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_the_field_load(tmp_path: Path, layout: str, legacy: bool) -> None:
    theirs = net(seed=1)
    make, words = LAYOUTS[layout]
    content = make(theirs)
    path = tmp_path / "ckpt.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    mine = net(seed=2)
    decided = load_weights(path, mine, "resnet8")
    assert all(word in decided for word in words)
    assert bool(decided) == bool(words)
    for key, value in mine.state_dict().items():
        expected = theirs.state_dict()[key]
        if layout == "half" and expected.is_floating_point():
            expected = expected.half().float()
        if layout != "without counters" or "num_batches" not in key:
            assert torch.equal(value, expected), key


@pytest.mark.parametrize("spelling", ["classifier.0.", "classifier."])
def test_both_spellings_of_the_classifier_load(tmp_path: Path, spelling: str) -> None:
    theirs, mine = net("MobileNetV2", seed=1), net("MobileNetV2", seed=2)
    state = {k.replace("classifier.0.", spelling): v for k, v in theirs.state_dict().items()}
    assert f"{spelling}weight" in state
    load_weights(saved(tmp_path, {"model": state}), mine, "MobileNetV2")
    assert checkpoint.digest(mine.state_dict()) == checkpoint.digest(theirs.state_dict())


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["ABLATE_TEST_TRAP"],)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("where", ["root", "opt", "model", "plain pickle"])
def test_code_in_a_file_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    trap = tmp_path / "trap"
    monkeypatch.setenv("ABLATE_TEST_TRAP", str(trap))
    state = net().state_dict()
    content: Any = {
        "root": Malicious(),
        "opt": {"model": state, "opt": argparse.Namespace(x=Malicious())},
        "model": {"model": {**state, "conv1.weight": Malicious()}},
        "plain pickle": Malicious(),
    }[where]
    path = tmp_path / "evil.pth"
    if where == "plain pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    before = net()
    with pytest.raises(InputError) as caught:
        load_weights(path, before, "resnet8")
    assert not trap.exists()
    assert "evil.pth" in str(caught.value)
    assert checkpoint.digest(before.state_dict()) == checkpoint.digest(net().state_dict())
    # The trap works: whoever loads without care runs the code.
    if where != "plain pickle":
        torch.load(path, weights_only=False)
        assert trap.exists()


def test_refusal_says_what_the_file_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABLATE_TEST_TRAP", "unused")
    with pytest.raises(InputError, match=r"mkdir.*could run code"):
        load_weights(saved(tmp_path, Malicious()), net(), "resnet8")


def test_every_key_that_does_not_fit_is_named(tmp_path: Path) -> None:
    state = dict(net(classes=100).state_dict())
    del state["layer1.0.conv1.weight"]
    state["layer9.weight"] = torch.zeros(3)
    with pytest.raises(InputError) as caught:
        load_weights(saved(tmp_path, state), net(), "resnet8")
    told = {p.key: p.message + p.right for p in caught.value.problems}
    assert set(told) == {"layer1.0.conv1.weight", "layer9.weight", "fc.weight", "fc.bias"}
    assert "missing" in told["layer1.0.conv1.weight"]
    assert "not in resnet8" in told["layer9.weight"]
    assert "(100, 64)" in told["fc.weight"]
    assert "(10, 64)" in told["fc.weight"]


def test_another_network_is_told_in_a_readable_number_of_problems(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_weights(saved(tmp_path, net("vgg8").state_dict()), net(), "resnet8")
    assert len(caught.value.problems) == 21
    last = caught.value.problems[-1].message
    keys = len(net().state_dict()) + len(net("vgg8").state_dict())
    counters = sum("num_batches" in key for key in net().state_dict())
    assert f"{keys - counters - 20} more keys" in last


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no readable checkpoint"),
        (b"GIF89a", "no readable checkpoint"),
        (b"<!DOCTYPE html>", r"no readable checkpoint \(the whole file"),
        (b"404: Not Found", "no readable checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n",
         r"no readable checkpoint, but a Git LFS pointer to one \(`git lfs pull`"),
        (b"PK\x03\x04abc", "no readable checkpoint"),
        ({"model": {}}, "holds no weights"),
        ({"epoch": 3, "lr": 0.1}, "holds no weights, but epoch, lr"),
        ([1, 2], "holds no weights"),
        ({"model": {"conv1.weight": 3}}, "holds no weights, but model"),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "ckpt_epoch_240.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        saved(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        load_weights(path, net(), "resnet8")
    assert "could run code" not in str(caught.value)


def test_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    state = {key: value.clone() for key, value in net().state_dict().items()}
    state["fc.weight"][0, :2] = float("nan")
    state["bn1.running_var"][3] = float("inf")
    with pytest.raises(InputError) as caught:
        load_weights(saved(tmp_path, state), net(), "resnet8")
    told = {problem.key: problem.message for problem in caught.value.problems}
    assert told.keys() == {"fc.weight", "bn1.running_var"}
    assert missing_from(told["fc.weight"], "2 of 640 values", "NaN or infinite") == []
    assert missing_from(told["bn1.running_var"], "1 of 16 values", "NaN or infinite") == []


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_truncated_file_is_refused(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "ckpt_epoch_240.pth"
    torch.save(net().state_dict(), path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="no readable checkpoint"):
        load_weights(path, net(), "resnet8")


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pth.*cannot be read"):
        load_weights(tmp_path / "nowhere.pth", net(), "resnet8")


def test_weights_that_are_there_twice_are_named_and_not_guessed(tmp_path: Path) -> None:
    theirs, slow = net(seed=1), net(seed=2)
    content = {"state_dict": theirs.state_dict(), "state_dict_ema": slow.state_dict()}
    with pytest.raises(InputError) as caught:
        load_weights(saved(tmp_path, content), net(), "resnet8")
    text = str(caught.value)
    assert '"state_dict"' in text
    assert '"state_dict_ema"' in text
    assert "torch.save(" in text


def test_a_student_beside_its_teacher_is_not_guessed(tmp_path: Path) -> None:
    content = {"model": {**under("student.", net(seed=1)), **under("teacher.", net(seed=2))}}
    with pytest.raises(InputError, match=r'"student\."'):
        load_weights(saved(tmp_path, content), net(), "resnet8")


def test_of_a_student_and_another_teacher_the_one_that_fits_is_taken(tmp_path: Path) -> None:
    content = {"model": {**under("student.", net(seed=1)), **under("teacher.", net("vgg8"))}}
    mine = net(seed=2)
    assert '"student."' in load_weights(saved(tmp_path, content), mine, "resnet8")
    assert checkpoint.digest(mine.state_dict()) == checkpoint.digest(net(seed=1).state_dict())


@pytest.mark.parametrize("content", ["network", "network in a dictionary"])
def test_the_way_out_of_a_file_that_needs_code_works(tmp_path: Path, content: str) -> None:
    theirs, mine = net(seed=1), net(seed=2)
    path = tmp_path / "a teacher's file.pth"
    torch.save(theirs if content == "network" else {"model": theirs, "epoch": 3}, path)
    with pytest.raises(InputError, match="ResNet") as caught:
        load_weights(path, mine, "resnet8")
    line = caught.value.problems[0].right.partition("its code: ")[2]
    assert line.startswith("python -c")
    command = line.replace("python", shlex.quote(sys.executable), 1)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    load_weights(tmp_path / "weights.pth", mine, "resnet8")
    assert checkpoint.digest(mine.state_dict()) == checkpoint.digest(theirs.state_dict())


@pytest.mark.parametrize("bomb", ["deflated", "overlapping"])
def test_an_archive_that_would_grow_is_refused_before_it_is_read(
    tmp_path: Path, bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, net().state_dict())
    if bomb == "deflated":
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data/99", bytes(50_000_000))
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.filelist += archive.filelist * 3
            archive.writestr("archive/data/99", b"")
    assert path.stat().st_size < 1_000_000

    def fail(*_: object, **__: object) -> None:
        pytest.fail("the file was read")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(InputError, match="archive"):
        load_weights(path, net(), "resnet8")


def test_a_tensor_that_claims_to_be_huge_costs_nothing(tmp_path: Path) -> None:
    state = dict(net().state_dict())
    state["fc.bias"] = torch.zeros(1).expand(10**12)
    with pytest.raises(InputError, match=r"fc\.bias.*\(1000000000000,\)"):
        load_weights(saved(tmp_path, state), net(), "resnet8")
