"""A result is read by its schema and checksum, or refused by the name of what is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.store.job_result import (
    CHECKSUM,
    Artifact,
    JobResult,
    ResultError,
    _checksum,
    from_bytes,
    to_text,
)

DIGEST = "ab" * 32
RESULT = JobResult(
    metrics={"top1": 0.1 + 0.2, "loss": 5e-324},
    best={"top1": 91.5},
    best_epoch=2,
    weights_digest=DIGEST,
    artifacts={"weights.pt": Artifact(sha256=DIGEST, size=3)},
    upstream={"teacher": {"weights.pt": DIGEST}},
    facts={"torch": "2.9 τ"},
    costs={"train_seconds": 1.5, "peak_memory_mib": 2.0},
)


def signed(content):
    """A forged result whose checksum fits."""
    return json.dumps(content | {CHECKSUM: _checksum(content)}).encode()


def content_of(result):
    found = json.loads(to_text(result))
    del found[CHECKSUM]
    return found


def test_to_text_and_back():
    assert from_bytes(to_text(RESULT).encode()) == RESULT
    assert RESULT.peak_bytes == 2 * 2**20


def test_fields_of_a_later_version_are_ignored_and_checked():
    later = content_of(RESULT) | {"novel": [1]}
    assert from_bytes(signed(later)) == RESULT
    with pytest.raises(ResultError, match=CHECKSUM):
        from_bytes(signed(later).replace(b"[1]", b"[2]"))


def test_one_digit_that_was_changed_is_found():
    text = to_text(RESULT)
    assert "91.5" in text
    with pytest.raises(ResultError, match="changed"):
        from_bytes(text.replace("91.5", "92.5").encode())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b"\0" * 40, b"[" * 200_000])
def test_what_is_no_result(content):
    with pytest.raises(ResultError):
        from_bytes(content)


WRONG: dict[str, list[Any]] = {
    "metrics": [None, [], "x", {"top1": "5"}, {"top1": None}, {"top1": True}, {"top1": 1e999},
                {"top1": 10**400}],
    "best": [0, {"top1": []}],
    "best_epoch": [None, -1, 1.5, "2", True, 2**80],
    "weights_digest": [None, 1, {}],
    "artifacts": [None, [], {"weights.pt": DIGEST}, {"weights.pt": {"sha256": "x", "size": 1}},
                  {"weights.pt": {"sha256": DIGEST, "size": -1}},
                  {"../weights.pt": {"sha256": DIGEST, "size": 1}}],
    "upstream": [None, {"teacher": DIGEST}, {"teacher": {"weights.pt": 1}}],
    "facts": [None, {"torch": 2.9}],
    "costs": [None, {"train_seconds": "long"}],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, many in WRONG.items() for v in many])
def test_a_wrong_type_names_its_field(name, value):
    with pytest.raises(ResultError, match=name):
        from_bytes(signed(content_of(RESULT) | {name: value}))


@pytest.mark.parametrize("name", WRONG)
def test_a_missing_field_is_named(name):
    content = content_of(RESULT)
    del content[name]
    with pytest.raises(ResultError, match=f'"{name}" is missing'):
        from_bytes(signed(content))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(WRONG)), _json)
def test_any_value_is_read_or_refused(name, value):
    try:
        found = from_bytes(signed(content_of(RESULT) | {name: value}))
    except ResultError:
        return
    assert from_bytes(to_text(found).encode()) == found


def test_a_number_that_is_not_finite_is_not_written():
    with pytest.raises(ValueError, match="float"):
        to_text(JobResult(metrics={"top1": float("nan")}))
