"""The losses, as pure functions of embeddings and logits; each returns the mean over a batch.

All of them compute in float32 at least, whatever the precision of the passes before them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")


def full_precision(loss: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Take half-precision tensors to float32 and keep autocast out, so that no loss is coarse."""

    @functools.wraps(loss)
    def in_full(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        device = next(a.device.type for a in args if isinstance(a, Tensor))
        with torch.autocast(device, enabled=False):
            return loss(*map(widen, args), **kwargs)  # type: ignore[arg-type]

    return in_full


def widen(value: T) -> T:
    """A half-precision tensor in float32; anything else as it is."""
    half = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if half else value  # type: ignore[attr-defined]


@full_precision
def unit(embeddings: Tensor) -> Tensor:
    """Scale each row of (n, d) to length 1."""
    return F.normalize(embeddings, dim=1)


@full_precision
def similarities(query: Tensor, key: Tensor, dictionary: Tensor, temperature: float) -> Tensor:
    """[⟨ẑ, key⟩, ⟨ẑ, dictionary⟩]/τ: query (n, d), key (n, d), dictionary (N, d) → (n, N + 1).

    Keys and dictionary are unit vectors already, the query is not. Index 0 is the positive.
    """
    query = F.normalize(query, dim=1)
    positive = (query * key).sum(dim=1, keepdim=True)
    return torch.cat([positive, query @ dictionary.T], dim=1) / temperature


@full_precision
def info_nce(logits: Tensor) -> Tensor:
    """L_ctr of CoCoRD (Fu et al. 2023): cross-entropy of `similarities` against index 0."""
    return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))


@full_precision
def prediction(predicted: Tensor, target: Tensor) -> Tensor:
    """L_pred of CoCoRD (Fu et al. 2023): mean of 2 − 2·cos(p, y), both (n, d), neither scaled.

    The squared distance of the two unit vectors. L̃_pred is the same with the views swapped.
    """
    return 2 - 2 * (F.normalize(predicted, dim=1) * F.normalize(target, dim=1)).sum(dim=1).mean()


@full_precision
def classification(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (n, classes) against labels (n,)."""
    return F.cross_entropy(logits, labels)


@full_precision
def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(teacher ‖ student)·T² of logits (n, classes) softened by T (Hinton et al. 2015).

    T² keeps the gradient's size when T changes (their section 2).
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher / temperature, dim=1)
    divergence = F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


@full_precision
def dot_products(anchors: Tensor, rows: Tensor) -> Tensor:
    """⟨anchor, row⟩ of (n, d) and (M, d) → (n, M)."""
    return anchors @ rows.T


@full_precision
def noise_contrast(logits: Tensor) -> Tensor:
    """L_crd of one kind of anchor (Tian et al. 2020): critic's logits (n, 1 + K), positive first.

    The critic is h = e^s/(e^s + c) = sigmoid(s − log c), and the loss −log h of the positive minus
    the sum of log(1 − h) over the K negatives.
    """
    return F.softplus(-logits[:, 0]).mean() + F.softplus(logits[:, 1:]).sum(dim=1).mean()


@torch.no_grad()
def contrastive_accuracy(logits: Tensor) -> Tensor:
    """Share of queries, in percent, whose own key is the most similar of N + 1."""
    return (logits.argmax(dim=1) == 0).float().mean() * 100


@torch.no_grad()
def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of a batch, in percent, whose largest logit (n, classes) is that of its label (n,)."""
    return (logits.argmax(dim=1) == labels).float().mean() * 100
