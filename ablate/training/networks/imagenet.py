"""torchvision's ResNets, for folders of ImageNet-sized images."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from ablate.training.networks.network import Constructor, Network


class ImageNetResNet(Network):
    """A torchvision ResNet with random weights, under torchvision's own state-dict keys."""

    classifier_name = "fc"

    def __init__(self, num_classes: int, in_channels: int, *, depth: int) -> None:
        # Slow to import, and only these networks need it.
        from torchvision.models import get_model

        super().__init__()
        for name, layer in get_model(
            f"resnet{depth}", weights=None, num_classes=num_classes
        ).named_children():
            self.add_module(name, layer)
        if in_channels != 3:
            self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 512), or (N, 2048) from depth 50."""
        out = images
        for name, layer in self.named_children():  # in the order in which torchvision runs them
            if name != self.classifier_name:
                out = layer(out)
        return out.flatten(1)


CONSTRUCTORS: dict[str, Constructor] = {
    f"resnet{depth}_imagenet": partial(ImageNetResNet, depth=depth) for depth in (18, 34, 50, 101)
}
