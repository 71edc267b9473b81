"""Artifacts, the files that jobs hand over: a job's result holds the digest of each.

Before a downstream job uses a file it is compared with that digest, and the digests of all that was
used stand in the downstream result. A large file is read once: its digest is remembered by what
the file system says of it (`ablate.methods.file_digests`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ablate.errors import StoreError
from ablate.methods.file_digests import file_digest
from ablate.store.folders import NotPlainError
from ablate.store.job_result import Artifact, JobResult, is_artifact_name
from ablate.store.rundir import RunDirectory


class ArtifactError(StoreError):
    """A file that another job left is missing, or is not what that job wrote."""


def measure(run: RunDirectory) -> dict[str, Artifact]:
    """Digest and size of every artifact of a job.

    Raises OSError for one that cannot be read, or is no regular file.
    """
    names = filter(is_artifact_name, run.artifact_folder.names())
    return {name: _measure(run, name) for name in names}


def damage(run: RunDirectory, result: JobResult) -> str:
    """What is wrong with the first artifact that is not as the result says; "" if nothing is.

    Raises StoreError for one that cannot be read now, which says nothing of what is in it.
    """
    for name, written in sorted(result.artifacts.items()):
        path = run.artifacts / name
        try:
            found = _measure(run, name, expected=written)
        except FileNotFoundError:
            return f"{path} is missing"
        except (NotPlainError, NotADirectoryError, IsADirectoryError) as error:
            return f"{path}: {error.strerror}"
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error
        if found != written:
            return f"{path} is not what its job wrote"
    return ""


def digests(result: JobResult) -> dict[str, str]:
    """Name -> digest of each artifact, as downstream results record them."""
    return {name: artifact.sha256 for name, artifact in result.artifacts.items()}


def checked(run: RunDirectory) -> dict[str, str]:
    """Digests of the artifacts of an upstream job, all of them just found to be as they were.

    Raises ArtifactError where one is not, or where the job has no sound result.
    """
    result = run.result()
    if result is None:
        raise ArtifactError(f"{run.path}: an upstream job without a sound result")
    if wrong := damage(run, result):
        raise ArtifactError(f"{wrong}: the next run computes it anew")
    return digests(result)


def outdated(result: JobResult, upstream: Mapping[str, JobResult | None]) -> str:
    """Why a result is not of the upstream work that is there now; "" if it is.

    `upstream`: role -> result of the job that has it now.
    """
    for role, used in sorted(result.upstream.items()):
        now = upstream.get(role)
        if now is not None and digests(now) != used:
            return f"it was computed with another {role.replace('_', ' ')}"
    return ""


def _measure(run: RunDirectory, name: str, expected: Artifact | None = None) -> Artifact:
    """Measure a file; its content is not read where the size differs from what is expected."""
    descriptor = run.artifact_folder.open(name, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if expected is not None and size != expected.size:
        return Artifact(sha256="", size=size)
    return Artifact(sha256=file_digest(run.artifacts / name), size=size)
