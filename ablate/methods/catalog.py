"""Facts about networks and data sets that are needed before torch is: widths, sizes, classes.

The training room builds the real things; a test holds them against this page.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Name -> width of the pooled features in front of the classifier.
NETWORKS: dict[str, int] = {
    **dict.fromkeys(
        ("resnet8", "resnet14", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"), 64
    ),
    "resnet8x4": 256,
    "resnet32x4": 256,
    "ResNet50": 2048,
    "wrn_16_1": 64,
    "wrn_16_2": 128,
    "wrn_40_1": 64,
    "wrn_40_2": 128,
    **dict.fromkeys(("vgg8", "vgg11", "vgg13", "vgg16", "vgg19"), 512),
    "MobileNetV2": 1280,
    "ShuffleV1": 960,
    "ShuffleV2": 1024,
    "resnet18_imagenet": 512,
    "resnet34_imagenet": 512,
    "resnet50_imagenet": 2048,
    "resnet101_imagenet": 2048,
}

#: Students that the field trains at a fifth of the usual learning rate (RepDistiller's recipe).
SMALL_LR_NETWORKS = frozenset({"MobileNetV2", "ShuffleV1", "ShuffleV2"})


@dataclass(frozen=True)
class DataInfo:
    """What is known of a data set without loading it."""

    name: str
    title: str  #: as a table's footer prints it
    channels: int
    classes: int
    size: int  #: side of the square images, in pixels
    train: int  #: number of training images; 0 where only the files tell
    test: int
    padding: int  #: zero padding of the random crop, in pixels
    flip: bool  #: whether a mirrored image still is of its class
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def crop_views(self) -> int:
        """Number of views that crop and flip can make of one image."""
        return (2 * self.padding + 1) ** 2 * (2 if self.flip else 1)


_CIFAR_MEAN, _CIFAR_STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _grey(name: str, title: str, classes: int = 10, *, flip: bool = False) -> DataInfo:
    return DataInfo(name, title, 1, classes, 28, 60_000, 10_000, 3, flip, (0.2860,), (0.3530,))


DATASETS: dict[str, DataInfo] = {
    info.name: info
    for info in (
        # Every third image of scikit-learn's 1,797 trains, the others test: few training images
        # keep the quick profile off the ceiling, many test images keep its resolution fine.
        DataInfo(
            "digits",
            "digits (8×8, scikit-learn)",
            1,
            10,
            8,
            599,
            1198,
            1,
            False,
            (0.3053,),
            (0.3762,),
        ),
        _grey("mnist", "MNIST"),
        _grey("fashion-mnist", "Fashion-MNIST", flip=True),
        _grey("kmnist", "Kuzushiji-MNIST"),
        DataInfo(
            "cifar10", "CIFAR-10", 3, 10, 32, 50_000, 10_000, 4, True, _CIFAR_MEAN, _CIFAR_STD
        ),
        DataInfo(
            "cifar100", "CIFAR-100", 3, 100, 32, 50_000, 10_000, 4, True, _CIFAR_MEAN, _CIFAR_STD
        ),
        DataInfo("folder", "image folder", 3, 0, 224, 0, 0, 0, True, _IMAGENET_MEAN, _IMAGENET_STD),
    )
}
