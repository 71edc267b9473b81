"""A network's accuracy on the test images."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ablate.training.data import ImageData
from ablate.training.losses import widen
from ablate.training.networks import Network
from ablate.training.precision import Precision
from ablate.training.views import plain

#: Images per pass; fixed, since another number may round to other bits.
_CHUNK = 500


@torch.no_grad()
def evaluate(network: Network, data: ImageData, precision: Precision) -> dict[str, float]:
    """Test "top1" and "top5" in percent, and "test_loss", the mean cross-entropy.

    Leaves the network in eval mode. With fewer than five classes top-5 counts all of them.
    """
    network.eval()
    sums = torch.zeros(3, dtype=torch.float64, device=data.test_labels.device)
    for start in range(0, len(data.test_labels), _CHUNK):
        images = plain(data.test_images[start : start + _CHUNK], data.info)
        label = data.test_labels[start : start + _CHUNK]
        with precision.autocast():
            logits = network(precision.lay_out(images))
        logits = widen(logits)
        hits = logits.topk(min(5, logits.shape[1])).indices == label[:, None]
        loss = F.cross_entropy(logits, label, reduction="sum")
        sums += torch.stack([hits[:, 0].sum(), hits.sum(), loss.double()])
    top1, top5, loss_sum = sums.tolist()
    n = len(data.test_labels)
    return {"top1": 100 * top1 / n, "top5": 100 * top5 / n, "test_loss": loss_sum / n}
