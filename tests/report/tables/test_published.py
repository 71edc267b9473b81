"""The published values that ship with the package."""

from __future__ import annotations

from ablate.methods.catalog import NETWORKS
from ablate.report.tables.published import published, published_values


def test_eighteen_methods_on_thirteen_pairs():
    values = published_values()
    pairs = {pair for pair, _ in values}
    methods = {method for _, method in values}
    assert (len(pairs), len(methods), len(values)) == (13, 18, 234)
    assert all(50 < value < 80 for value in values.values())
    assert all(name in NETWORKS for pair in pairs for name in pair.split("/"))


def test_lookup():
    assert published("resnet110/resnet32", "CoCoRD") == 74.10
    assert published("resnet110/resnet32", "Teacher") == 74.31
    assert published("resnet110/resnet20", "No such method") is None
