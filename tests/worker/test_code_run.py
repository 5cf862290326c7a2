"""code.run through a real engine and worker: output while it runs, the device free meanwhile, every ending told."""

import asyncio
from pathlib import Path

import pytest

from plugins.code.backend_run import Run
from plugins.code.params import Run as Params
from plugins.code.sandbox import Isolation, isolation
from studio.errors import StudioError
from studio.library.recipe import read_recipe

pytestmark = pytest.mark.worker
LONG = "print('begun', flush=True)\nimport time\ntime.sleep(600)\n"


def run(main: str, **more: object) -> dict:
    return {"files": [{"path": "main.py", "text": main}], "unprotected": True, **more}


def test_a_run_streams_keeps_its_output_and_leaves_the_device_to_others(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            job = await watcher.submit("code.run", run(LONG, seconds=500))
            await watcher.until(
                lambda: any(e.kind == "stream" and e.job == job and "begun" in e.data["text"] for e in watcher.events),
                "its first words",
            )
            other = await watcher.ended(await watcher.submit("probe.echo", {"text": "meanwhile"}))
            assert other["state"] == "finished", "a program that runs keeps nobody from the device"
            await watcher.client.call("cancel", job=job)
            assert (await watcher.ended(job))["state"] == "cancelled"
            failed = await watcher.ended(await watcher.submit("code.run", run("print('ä')\nraise SystemExit(3)")))
            assert failed["state"] == "finished" and failed["facts"]["exit_code"] == 3, failed["error"]
            assert failed["facts"]["isolation"] == isolation()
            saved = Path(failed["artifacts"][0]["path"])
            assert read_recipe(saved).params["main"] == "main.py" and "ä" in saved.read_text()

    asyncio.run(scene())


def test_tests_are_run_with_what_there_is(engine):
    files = [
        {"path": "shop.py", "text": "def two():\n    return 3\n"},
        {"path": "test_shop.py", "text": "import shop\ndef test_two():\n    assert shop.two() == 2\n"},
    ]

    async def scene() -> None:
        async with engine.life() as watcher:
            params = {"files": files, "main": "shop.py", "tests": True, "unprotected": True}
            job = await watcher.submit("code.run", params)
            ended = await watcher.ended(job)
            assert ended["facts"]["exit_code"] == 1, ended
            said = Path(ended["artifacts"][0]["path"]).read_text()
            assert "assert 3 == 2" in said and "1 failed" in said

    asyncio.run(scene())


def test_where_nothing_shuts_it_in_it_asks_first_and_what_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("plugins.code.backend_run.isolation", lambda: Isolation.NONE)
    ctx: object = None
    with pytest.raises(StudioError, match="shut the code in nowhere"):
        Run().run(Params(files=[{"path": "main.py", "text": ""}]), ctx)  # type: ignore[list-item, arg-type]
    with pytest.raises(StudioError, match="nothing to run"):
        Run().run(Params(main="other.py", unprotected=True), ctx)  # type: ignore[arg-type]
