"""Exceptions in words for a person, with numbers, and whether the process can go on."""

import errno

import pytest

from studio.errors import StudioError
from studio.worker import memory
from studio.worker.faults import explain, is_out_of_memory

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: an illegal memory access was encountered\nCompile with `TORCH_USE_CUDA_DSA`",
        "CUDA error: device-side assert triggered",
        "CUDA error: unspecified launch failure",
        "CUDA error: unknown error",
        "HIP error: the operation cannot be performed: illegal address",
        "CUDA error: uncorrectable ECC error encountered",
    ],
)
def test_errors_after_which_every_call_fails_are_fatal(message):
    fault = explain(RuntimeError(message), "Running x")
    assert fault.fatal and fault.error.code == "device-lost" and "Running x" in fault.error.detail
    assert explain(fault.error, "Running y").fatal, "it came through a loader"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_lack_of_memory_has_numbers_and_is_not_fatal(error):
    fault = explain(error, "Loading big")
    assert not fault.fatal and fault.error.code == "out-of-memory" and is_out_of_memory(error)
    assert memory.words(memory.read().total) in fault.error.detail and str(error) in fault.error.detail


def test_other_errors_of_a_device_are_failures_of_the_job_only():
    fault = explain(RuntimeError("CUDA error: no kernel image is available for execution on the device"), "Running x")
    assert not fault.fatal and fault.error.code == "plugin"


def test_a_studio_error_is_passed_on_and_a_lost_device_below_it_is_seen():
    error = StudioError("Refused", code="mine")
    assert explain(error, "Running x").error is error
    error.__cause__ = RuntimeError("CUDA error: an illegal memory access was encountered")
    assert explain(error, "Running x").fatal


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EROFS, "read-only"), (errno.EACCES, "read-only")],
)
def test_a_disk_that_refuses_a_backend_is_named(number, code):
    error = explain(OSError(number, "refused", "/some/file"), "Running x").error
    assert error.code == code and "/some/file" in error.detail


def test_sizes_are_in_words():
    assert [memory.words(n) for n in (0, 999, 1000, 123_456_789, 3_210_000_000, 10**13)] == [
        "0 bytes", "999 bytes", "1.0 kB", "123 MB", "3.2 GB", "10000 GB",
    ]  # fmt: skip
    assert 0 < memory.resident() < memory.machine()[0]
