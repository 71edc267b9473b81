"""A job is its content: canonical JSON and its SHA-256."""

from __future__ import annotations

import hashlib
import json

from ablate.methods.session import JobConfig

SHORT = 10  #: characters of an id that people see

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical(value: object) -> str:
    """JSON with sorted keys, no spaces and no NaN: equal content gives equal text."""
    return _ENCODER.encode(value)


def job_id(config: JobConfig) -> str:
    """SHA-256 (hex) of the canonical config; it covers upstream jobs through their ids."""
    return hashlib.sha256(canonical(vars(config)).encode()).hexdigest()


def short(identifier: str) -> str:
    """The form of an id that people read and type."""
    return identifier[:SHORT]
