"""The device of a job: which arithmetic it is set to, and how full memory is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from ablate.errors import DeviceMemoryError
from ablate.execute.worker.describe_error import describe_error
from ablate.methods.lifecycle import AttemptOutcome
from ablate.methods.session import Machine
from ablate.training.device_setup import memory_errors, peak_memory, prepare, tf32_allowed

GPU = Machine("cuda:0")


@pytest.fixture
def _settings() -> Iterator[None]:
    """Put back what a job sets for its whole process."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


FULL = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "cuda:0"),
    (RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"), "cuda:0"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "cuda:0"),
    (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "cuda:0"),
    (RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"), "cuda:0"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "this machine"),
]


@pytest.mark.parametrize(("error", "place"), FULL, ids=lambda value: str(value)[:40])
def test_full_memory_is_told_apart_in_all_its_words(error: RuntimeError, place: str) -> None:
    with pytest.raises(DeviceMemoryError) as told, memory_errors(GPU):
        raise error
    words = f"DeviceMemoryError: {place} ran out of memory ({str(error).splitlines()[0]})"
    assert describe_error(told.value, 1).message == words
    assert describe_error(error, 1).outcome is AttemptOutcome.OUT_OF_MEMORY


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: device-side assert triggered"), ValueError("out of memory")]
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, memory_errors(GPU):
        raise error
    assert caught.value is error
    assert describe_error(error, 1).outcome is AttemptOutcome.ERROR


def test_memory_that_no_cpu_has_is_told() -> None:
    with pytest.raises(DeviceMemoryError, match="this machine"), memory_errors(Machine()):
        torch.empty(2**60)


@pytest.mark.usefixtures("_settings")
def test_fp32_is_never_tf32() -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    assert tf32_allowed()
    prepare(Machine(), deterministic=True)
    assert not tf32_allowed()


@pytest.mark.gpu
def test_peak_memory_is_what_neighbours_cannot_have() -> None:
    device = prepare(GPU, deterministic=True)
    torch.empty(2**25 + 1, device=device).add_(1)  # torch reserves a little more than it fills
    assert torch.cuda.max_memory_allocated(device) < torch.cuda.memory_reserved(device)
    assert peak_memory(device) >= torch.cuda.memory_reserved(device)
