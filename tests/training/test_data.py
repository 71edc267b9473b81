from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import pickle
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ablate.errors import InputError
from ablate.methods import data_files
from ablate.methods.catalog import DATASETS, data_info
from ablate.training.data import ImageData, load
from ablate.training.data.images import rows

IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
NOWHERE = "http://127.0.0.1:9/"  # nothing listens on the discard port


def moments(data: ImageData) -> tuple[list[float], list[float]]:
    values = data.train_images.double() / 255
    return values.mean((0, 2, 3)).tolist(), values.std((0, 2, 3)).tolist()


def assert_as_the_catalogue_says(data: ImageData) -> None:
    info = data.info
    for images, labels, n in (
        (data.train_images, data.train_labels, info.train),
        (data.test_images, data.test_labels, info.test),
    ):
        assert images.shape == (n, info.channels, info.size, info.size)
        assert images.dtype == torch.uint8
        assert images.is_contiguous()
        assert labels.shape == (n,)
        assert labels.dtype == torch.int64
        assert set(labels.tolist()) == set(range(info.classes))


def shrink(monkeypatch: pytest.MonkeyPatch, name: str, **changes: object) -> None:
    monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], **changes))  # type: ignore[arg-type]


# Digits


def test_digits_are_scikit_learns_every_third_for_training(tmp_path):
    data = load("digits", tmp_path)
    assert_as_the_catalogue_says(data)
    bunch = load_digits()
    for i in (0, 1, 2, 3, 1796):
        images = data.train_images if i % 3 == 0 else data.test_images
        labels = data.train_labels if i % 3 == 0 else data.test_labels
        at = i // 3 if i % 3 == 0 else i - i // 3 - 1
        assert labels[at] == bunch.target[i]
        assert np.abs(images[at, 0].numpy() - bunch.images[i] * 255 / 16).max() <= 0.5
    assert data.train_images.max() == 255


def test_digits_are_normalised_by_their_own_numbers(tmp_path):
    mean, std = moments(load("digits", tmp_path))
    assert mean == pytest.approx(DATASETS["digits"].mean, abs=1e-4)
    assert std == pytest.approx(DATASETS["digits"].std, abs=1e-4)


def test_to_moves_all_four_tensors(tmp_path):
    data = load("digits", tmp_path).to("meta")
    tensors = data.train_images, data.train_labels, data.test_images, data.test_labels
    assert {t.device.type for t in tensors} == {"meta"}


# Names


@pytest.mark.parametrize(
    ("name", "right"),
    [("cifr10", 'did you mean "cifar10"?'), ("folder", '"folder:PATH"'), ("", "one of: digits")],
)
def test_an_unknown_name_says_what_would_be_right(name, right, tmp_path):
    with pytest.raises(InputError) as error:
        load(name, tmp_path)
    assert right in str(error.value)


def test_registered_sets_have_info_and_no_content():
    for name, info in DATASETS.items():
        assert data_info(name) is info
        assert info.content == ""


# The MNIST family


def write_idx(folder: Path, arrays: dict[str, np.ndarray], ending: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        content = head + array.astype(np.uint8).tobytes()
        compressed = gzip.compress(content, 1) if ending == ".gz" else content
        (folder / (name + ending)).write_bytes(compressed)


def idx_arrays(name: str, train: int = 60, test: int = 20) -> dict[str, np.ndarray]:
    """Random images whose mean is that of the named data set."""
    level = DATASETS[name].mean[0] * 255
    random = np.random.default_rng(0)
    images = random.binomial(255, level / 255, (train + test, 28, 28))
    labels = np.arange(train + test) % 10
    return dict(
        zip(IDX, (images[:train], labels[:train], images[train:], labels[train:]), strict=True)
    )


@pytest.fixture
def offline(monkeypatch):
    from torchvision import datasets

    for source in (datasets.MNIST, datasets.FashionMNIST, datasets.KMNIST):
        monkeypatch.setattr(source, "mirrors", [NOWHERE])
    for source in (datasets.CIFAR10, datasets.CIFAR100):
        monkeypatch.setattr(source, "url", NOWHERE + source.filename)
    monkeypatch.setattr(data_files, "DEBIAN_FASHION_MNIST", Path("/nowhere"))


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "subfolder"),
    [
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "FashionMNIST/raw"),
        ("kmnist", "KMNIST/raw"),
        ("mnist", "mnist"),
        ("fashion-mnist", "fashion-mnist"),
        ("kmnist", ""),
    ],
)
def test_idx_files_are_found_and_read(name, subfolder, ending, tmp_path, monkeypatch, offline):
    shrink(monkeypatch, name, train=60, test=20)
    arrays = idx_arrays(name)
    write_idx(tmp_path / subfolder, arrays, ending)
    before = sorted(tmp_path.rglob("*"))
    data = load(name, tmp_path)
    assert_as_the_catalogue_says(data)
    assert np.array_equal(data.train_images[:, 0].numpy(), arrays[IDX[0]])
    assert np.array_equal(data.test_labels.numpy(), arrays[IDX[3]])
    assert sorted(tmp_path.rglob("*")) == before


def test_fashion_mnist_as_debian_installs_it(tmp_path):
    if not data_files.DEBIAN_FASHION_MNIST.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    files = sorted(data_files.DEBIAN_FASHION_MNIST.iterdir())
    before = [(file, file.stat().st_mtime_ns) for file in files]
    data = load("fashion-mnist", tmp_path / "data")
    assert_as_the_catalogue_says(data)
    mean, std = moments(data)
    assert mean == pytest.approx(data.info.mean, abs=1e-4)
    assert std == pytest.approx(data.info.std, abs=1e-4)
    assert torch.equal(data.test_labels.bincount(), torch.full((10,), 1000))
    assert data.train_labels[:4].tolist() == [9, 0, 0, 3]  # boot, shirt, shirt, dress
    assert before == [(file, file.stat().st_mtime_ns) for file in files]
    assert not (tmp_path / "data").exists()


def test_files_of_another_set_are_refused(tmp_path, monkeypatch, offline):
    shrink(monkeypatch, "kmnist", train=60, test=20)
    write_idx(tmp_path, idx_arrays("fashion-mnist"))
    with pytest.raises(InputError, match=r"another data set: its mean pixel is 0\.28"):
        load("kmnist", tmp_path)


def test_a_set_of_another_size_is_refused(tmp_path, offline):
    write_idx(tmp_path, idx_arrays("mnist"))
    with pytest.raises(InputError) as error:
        load("mnist", tmp_path)
    assert "training images have the shape (60, 1, 28, 28) ((60000, 1, 28, 28))" in str(error.value)
    assert len(error.value.problems) == 4


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_damaged_file_is_named(damage, ending, tmp_path, offline):
    write_idx(tmp_path, idx_arrays("mnist"), ending)
    file = tmp_path / (IDX[2] + ending)
    content = file.read_bytes()
    file.write_bytes({"cut": content[:-99], "garbage": b"<html>" * 99, "empty": b""}[damage])
    with pytest.raises(InputError, match=f"{IDX[2]}{ending} can't be read"):
        load("mnist", tmp_path)


# Downloads


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("cifar10", "cifar-10-python.tar.gz"),
        ("cifar100", "cifar-100-python/"),
        ("mnist", "t10k-labels-idx1-ubyte"),
        ("kmnist", "kmnist"),
        ("fashion-mnist", "dataset-fashion-mnist"),
    ],
)
def test_a_failed_download_says_where_to_put_what(name, put, tmp_path, offline):
    folder = tmp_path / "data"
    with pytest.raises(InputError) as error:
        load(name, folder)
    (problem,) = error.value.problems
    assert problem.key == name
    assert DATASETS[name].title in problem.message
    assert str(folder) in problem.message
    assert put in problem.right
    assert "\n" not in str(error.value)
    assert list(folder.iterdir()) == []


def test_a_data_folder_that_cannot_be_made_is_an_input_error(tmp_path, offline):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Not a directory"):
        load("cifar10", tmp_path / "file" / "data")


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def cifar(tmp_path, monkeypatch, offline) -> Path:
    """Tiny CIFAR-100: the archive below tmp_path/server, with its checksums made known."""
    from torchvision.datasets import CIFAR100

    shrink(monkeypatch, "cifar100", train=200, test=100)
    random = np.random.default_rng(0)

    def batch(n: int) -> bytes:
        data = random.integers(0, 256, (n, 3072), dtype=np.uint8)
        return pickle.dumps({"data": data, "fine_labels": [i % 100 for i in range(n)]})

    files = {"train": batch(200), "test": batch(100)}
    files["meta"] = pickle.dumps({"fine_label_names": [str(i) for i in range(100)]})
    folder = tmp_path / "server" / CIFAR100.base_folder
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    archive = tmp_path / "server" / CIFAR100.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    monkeypatch.setattr(CIFAR100, "train_list", [["train", md5(files["train"])]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", md5(files["test"])]])
    meta = {"filename": "meta", "key": "fine_label_names", "md5": md5(files["meta"])}
    monkeypatch.setattr(CIFAR100, "meta", meta)
    monkeypatch.setattr(CIFAR100, "tgz_md5", md5(archive.read_bytes()))
    return archive


@pytest.fixture
def server(cifar, monkeypatch) -> Iterator[None]:
    from torchvision.datasets import CIFAR100

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(cifar.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as http_server:
        monkeypatch.setattr(
            CIFAR100, "url", f"http://127.0.0.1:{http_server.server_port}/{cifar.name}"
        )
        thread = threading.Thread(target=http_server.serve_forever, args=(0.01,))
        thread.start()
        yield
        http_server.shutdown()
        thread.join()


def test_cifar_is_read_from_its_batches(cifar):
    data = load("cifar100", cifar.parent)
    assert_as_the_catalogue_says(data)
    with (cifar.parent / "cifar-100-python" / "train").open("rb") as file:
        expected = pickle.load(file)["data"]
    # A row of the file is the image's red, green, blue planes, each row by row.
    assert np.array_equal(data.train_images.numpy().reshape(200, -1), expected)


def test_cifar_is_unpacked_from_a_local_archive(cifar, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    cifar.rename(folder / cifar.name)
    assert_as_the_catalogue_says(load("cifar100", folder))
    assert sorted(f.name for f in folder.iterdir()) == ["cifar-100-python", cifar.name]


def test_cifar_is_downloaded_once_by_several_at_a_time(cifar, server, tmp_path):
    folder = tmp_path / "data"
    results: list[ImageData] = []
    threads = [
        threading.Thread(target=lambda: results.append(load("cifar100", folder))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    for data in results:
        assert_as_the_catalogue_says(data)
    assert [f.name for f in folder.iterdir()] == ["cifar-100-python"]


def test_a_damaged_archive_is_replaced_in_use_but_not_on_disk(cifar, server, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / cifar.name).write_bytes(b"half")
    load("cifar100", folder)
    assert (folder / cifar.name).read_bytes() == b"half"


def test_a_broken_download_leaves_nothing_behind(cifar, server, tmp_path):
    cifar.write_bytes(cifar.read_bytes()[:-10])
    folder = tmp_path / "data"
    with pytest.raises(InputError, match="can't be downloaded"):
        load("cifar100", folder)
    assert list(folder.iterdir()) == []


# Parts of a data set


def test_a_part_has_the_same_images_of_each_class_for_everyone(tmp_path, monkeypatch, offline):
    shrink(monkeypatch, "fashion-mnist", train=60, test=20)
    write_idx(tmp_path, idx_arrays("fashion-mnist"))
    whole, part = load("fashion-mnist", tmp_path), load("fashion-mnist[25]", tmp_path)
    assert sorted(part.train_labels.bincount().tolist()) == [2] * 5 + [3] * 5
    assert torch.equal(part.test_images, whole.test_images)
    assert torch.equal(part.train_images, load("fashion-mnist[25]", tmp_path).train_images)
    pixels = {image.numpy().tobytes() for image in whole.train_images}
    assert all(image.numpy().tobytes() in pixels for image in part.train_images)


@pytest.mark.parametrize("count", [0, 9, 60_001])
def test_a_part_larger_than_the_whole_or_without_all_classes_is_refused(count):
    with pytest.raises(InputError, match="10 to 60,000"):
        data_info(f"fashion-mnist[{count}]")


# Arrays


def test_arrays_are_read_as_they_were_saved(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (12, 10, 10, 3), dtype=np.uint8)
    split = np.array(["train", "train", "train", "test"] * 3)
    labels = np.array(["b", "a", "a", "b", "a", "b", "b", "a", "b", "a", "a", "b"])
    np.savez(tmp_path / "x.npz", images=images, labels=labels, split=split)
    data = load(f"npz:{tmp_path / 'x.npz'}", tmp_path)
    assert_as_the_catalogue_says(data)
    trains = split == "train"
    assert np.array_equal(data.train_images.permute(0, 2, 3, 1).numpy(), images[trains])
    assert np.array_equal(data.test_images.permute(0, 2, 3, 1).numpy(), images[~trains])
    assert data.train_labels.tolist() == (labels[trains] == "b").astype(int).tolist()
    assert data.test_labels.tolist() == (labels[~trains] == "b").astype(int).tolist()


def test_rows_come_to_the_device_of_their_index():
    images = torch.arange(12, dtype=torch.uint8).view(3, 1, 2, 2)
    assert torch.equal(rows(images, torch.tensor([2, 0])), images[[2, 0]])
    assert rows(images.to("meta"), torch.tensor([2, 0], device="meta")).shape == (2, 1, 2, 2)


def test_images_that_would_fill_a_gpu_stay_where_they_are(tmp_path, monkeypatch):
    data = load("digits", tmp_path)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (100_000, 10**9))
    assert data._fills(torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (1_000_000, 10**9))
    assert not data._fills(torch.device("cuda"))
    assert not data._fills(torch.device("cpu"))
