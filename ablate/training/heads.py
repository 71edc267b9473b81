"""Small networks on top of features: the projection heads and the predictor."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

#: Name of a head's normalisation -> builds the layer for a width; None puts no layer there.
_NORMS: dict[str, Callable[[int], nn.Module] | None] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "none": None,
}


def projection_head(
    in_features: int, width: int, embedding: int, depth: int = 2, norm: str = "batch"
) -> nn.Sequential:
    """Features (n, in_features) → embedding (n, embedding), with `depth` linear layers.

    CoCoRD's is depth 2 with batch normalisation: 0 Linear, 1 BatchNorm, 2 ReLU, 3 Linear. Depth 1
    is one linear layer, which no normalisation or ReLU follows.
    """
    layers: list[nn.Module] = []
    build_norm = _NORMS[norm]
    for _ in range(depth - 1):
        layers.append(nn.Linear(in_features, width))
        if build_norm is not None:
            layers.append(build_norm(width))
        layers.append(nn.ReLU())
        in_features = width
    return nn.Sequential(*layers, nn.Linear(in_features, embedding))


def predictor(embedding: int, width: int) -> nn.Sequential:
    """Embedding (n, embedding) → prediction of another view's embedding (n, embedding)."""
    return projection_head(embedding, width, embedding)
