"""What other people on the machine, and the code of models and plugins, are kept away from."""

import asyncio
import stat
from pathlib import Path

import pytest

from tests.worker.engine_rig import EngineProcess

pytestmark = pytest.mark.worker
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_sockets_and_folders_are_their_owners_alone_and_workers_have_no_tokens(engine: EngineProcess):
    async def scene() -> None:
        async with engine.life(**dict.fromkeys(TOKENS, "a-secret-token")) as watcher:
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"
            (worker,) = (await watcher.client.call("status"))["workers"]
            environment = Path(f"/proc/{worker['pid']}/environ").read_bytes()
            assert b"a-secret-token" not in environment and b"HF_HUB_OFFLINE=1" in environment
            runtime = engine.paths.runtime
            assert mode(runtime / "engine.sock") == 0o600
            assert mode(runtime.parent) == 0o700 and mode(engine.paths.data) == 0o700

    asyncio.run(scene())
