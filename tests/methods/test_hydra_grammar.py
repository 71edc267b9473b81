"""Overrides are read by Hydra itself: what goes in comes out."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ablate.methods.hydra_grammar import override
from ablate.methods.parts import Value

PARSER = OverridesParser.create()
AWKWARD = [
    "a,b", "${x}", "${oc.env:HOME}", "\\${x}", "\\\\${x}'", "it's", '"', "back\\", "\\'", "[1, 2]",
    "{a: 1}", "null", "true", "1e-3", "", " ", "a=b", "choice(1,2)", "range(1,5)", "$(id)", "~x",
    "a\nb", "ünï",
]  # fmt: skip


def read(value: Value) -> object:
    """The value that a program finds in its configuration."""
    found = PARSER.parse_override(override("group.key", value))
    assert not found.is_sweep_override()
    config = OmegaConf.create({"group": {"key": None}})
    OmegaConf.update(config, "group.key", found.value())
    return config.group.key


@pytest.mark.parametrize("value", [*AWKWARD, 3, 0.1, 1e-05, 1e30, -2.5, True, False])
def test_hydra_reads_the_value_that_was_written(value: Value) -> None:
    assert (read(value), type(read(value))) == (value, type(value))


@given(st.text(alphabet="a,'\"\\${}[]()= \t", max_size=12))
def test_any_text_stays_a_text(text: str) -> None:
    if "$" not in text or "${" in text or text:
        assert read(text) == text
