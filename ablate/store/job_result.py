"""The result of a job: one dataclass, and its one way to and from JSON.

A result file carries a SHA-256 of its own content. That finds bytes that changed by accident or by
an editor; it is no signature: whoever forges a result on purpose can compute it too.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ablate.store import values

CHECKSUM = "checksum"  #: key of the digest beside the result's fields

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that a job leaves for downstream jobs and users."""

    sha256: str
    size: int  #: bytes


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """Measurements and artifacts of a finished job."""

    metrics: Mapping[str, float] = field(default_factory=dict)  #: after the last epoch
    best: Mapping[str, float] = field(default_factory=dict)  #: at `best_epoch`
    best_epoch: int = 0  #: from 1; 0 where the job has none
    weights_digest: str = ""  #: SHA-256 over the trained tensors, "" where there are none
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)  #: file name -> its content
    upstream: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Role -> name of an artifact that was used -> its SHA-256."""
    facts: Mapping[str, str] = field(default_factory=dict)  #: shown, not compared
    costs: Mapping[str, float] = field(default_factory=dict)  #: they depend on the machine

    @property
    def peak_bytes(self) -> int:
        """Most bytes that the job held on its device; 0 if it does not say."""
        return int(self.costs.get("peak_memory_mib", 0) * 2**20)


class ResultError(ValueError):
    """A result file with wrong content; the message names the field."""


def to_text(result: JobResult) -> str:
    """The content of a result file; ValueError for a number that is not finite."""
    content = asdict(result)
    whole = content | {CHECKSUM: _checksum(content)}
    return json.dumps(whole, sort_keys=True, indent=2, allow_nan=False) + "\n"


def from_bytes(content: bytes) -> JobResult:
    """Read the content of a result file; fields unknown here are ignored.

    Raises ResultError for what is no JSON object, lacks a field, has one of the wrong type, or does
    not fit its checksum.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ResultError(str(error)) from error
    if not isinstance(found, dict):
        raise ResultError("not a JSON object")
    checksum = found.pop(CHECKSUM, None)
    read = {one.name: _read(found, one.name) for one in fields(JobResult)}
    if checksum != _checksum(found):
        raise ResultError(f'its content does not fit its "{CHECKSUM}": it was changed')
    return JobResult(**read)


def _checksum(content: Mapping[str, Any]) -> str:
    try:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
    except (ValueError, RecursionError) as error:
        raise ResultError(str(error)) from error


def _read(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise ResultError(f'"{name}" is missing')
    value = _CONVERTERS[name](found[name])
    if value is None:
        raise ResultError(f'"{name}" is {_shortened(found[name])}, which cannot be')
    return value


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _finite(value: object) -> dict[str, float] | None:
    found = values.numbers(value)
    if not isinstance(value, Mapping) or found is None or len(found) < len(value):
        return None
    return found if all(map(math.isfinite, found.values())) else None


def _texts(value: object) -> dict[str, str] | None:
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        return None
    return values.texts(value)


def _artifacts(value: object) -> dict[str, Artifact] | None:
    if not isinstance(value, Mapping):
        return None
    found = {}
    for name, one in value.items():
        if not isinstance(one, Mapping) or not _is_digest(one.get("sha256")):
            return None
        size = values.count(one.get("size"))
        if size is None or not is_artifact_name(name):
            return None
        found[name] = Artifact(sha256=one["sha256"], size=size)
    return found


def _upstream(value: object) -> dict[str, dict[str, str]] | None:
    if not isinstance(value, Mapping):
        return None
    used = {role: _texts(digests) for role, digests in value.items()}
    if any(found is None or not all(map(_is_digest, found.values())) for found in used.values()):
        return None
    return {role: found for role, found in used.items() if found is not None}


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def is_artifact_name(name: str) -> bool:
    """Whether a name is a plain file name, without a folder in it."""
    return bool(name) and not name.startswith(".") and "/" not in name and "\0" not in name


_CONVERTERS: Mapping[str, Callable[[object], Any]] = {
    "metrics": _finite,
    "best": _finite,
    "best_epoch": values.count,
    "weights_digest": values.text,
    "artifacts": _artifacts,
    "upstream": _upstream,
    "facts": _texts,
    "costs": _finite,
}
