"""The allocator of a worker: one pool for all threads, so that models which come and go leave no holes."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.worker
ALLOCATE = """
import ctypes, sys, threading
from studio.worker import memory
if sys.argv[1] == "settled":
    memory.settle_allocator()
barrier = threading.Barrier(4)
def work():
    kept = [bytes(10_000) for _ in range(100)]
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
memory.give_back()
ctypes.CDLL(None).malloc_stats()
"""


def pools(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", ALLOCATE, mode], capture_output=True, text=True, check=True)
    return done.stderr.count("Arena ")


@pytest.mark.skipif(sys.platform != "linux", reason="the pools are glibc's")
def test_all_threads_of_a_worker_share_one_pool() -> None:
    if not pools("as it is"):
        pytest.skip("this system's allocator tells nothing of its pools")
    assert pools("as it is") > 1
    assert pools("settled") == 1
