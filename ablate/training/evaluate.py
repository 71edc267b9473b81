"""A network's accuracy on images that it is not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.methods.catalog import DataInfo
from ablate.training.data import ImageData
from ablate.training.losses import widen
from ablate.training.networks import Network
from ablate.training.precision import Precision
from ablate.training.views import plain

#: Images per pass; fixed, since another number may round to other bits.
_CHUNK = 500


@dataclass(frozen=True)
class EvaluationSplit:
    """Images to evaluate on: test images, or those held out for validation."""

    images: Tensor  #: (n, C, H, W), uint8
    labels: Tensor  #: (n,)
    info: DataInfo

    @classmethod
    def test(cls, data: ImageData) -> EvaluationSplit:
        """The test images of a data set."""
        return cls(data.test_images, data.test_labels, data.info)


@dataclass(frozen=True)
class Evaluation:
    """Metrics and hits of a network on a split."""

    metrics: Mapping[str, float]  #: "top1", "top5" in percent, "test_loss": mean cross-entropy
    hits: Tensor  #: (n,), bool: whether an image's largest logit is that of its label


@torch.no_grad()
def evaluate(network: Network, split: EvaluationSplit, precision: Precision) -> Evaluation:
    """Evaluate a network, which is left in eval mode.

    With fewer than five classes top-5 counts all of them.
    """
    network.eval()
    hits, loss = [], torch.zeros((), dtype=torch.float64, device=split.labels.device)
    for start in range(0, len(split.labels), _CHUNK):
        label = split.labels[start : start + _CHUNK]
        images = plain(split.images[start : start + _CHUNK].to(label.device), split.info)
        with precision.autocast():
            logits = network(precision.lay_out(images))
        logits = widen(logits)
        hits.append(logits.topk(min(5, logits.shape[1])).indices == label[:, None])
        loss += F.cross_entropy(logits, label, reduction="sum")
    ranks, n = torch.cat(hits), len(split.labels)
    top1, top5, loss_sum = torch.stack([ranks[:, 0].sum(), ranks.sum(), loss]).tolist()
    metrics = {"top1": 100 * top1 / n, "top5": 100 * top5 / n, "test_loss": loss_sum / n}
    return Evaluation(metrics, ranks[:, 0])
