"""What the tests of real processes share: a nursery that forks engines, and an engine of each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.engine_rig import EngineProcess, Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def engine(nursery: Nursery, tmp_path: Path) -> Iterator[EngineProcess]:
    """Not running yet; killed at the end if it still does."""
    with EngineProcess(tmp_path, nursery) as engine:
        yield engine
