"""The whole window with a real engine, a real worker and a tiny real model: write, stop, repeat, come back."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from studio.ui import app as application
from tests import tiny_models
from tests.qt.ui_rig import Rig, until

pytestmark = pytest.mark.worker
PROMPT = "Once upon a time there was a fox who"


@pytest.fixture
def rig(qapp, tmp_path: Path):
    rig = Rig(qapp, tmp_path)
    endless(tiny_models.build_gpt2(rig.paths.models / "tiny"))
    rig.engine.connect = lambda: application.launched(rig.paths)
    yield rig
    rig.run(end_engine(rig))
    rig.close()


def endless(folder: Path) -> None:
    """The token that ends a text is one that never comes, so that only the limit or a person ends it."""
    file = folder / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "eos_token_id": 10**6}))


async def end_engine(rig) -> None:
    client = await application.launched(rig.paths)
    await client.call("shutdown")
    await client.closed.wait()
    await client.close()


async def text_panel(window):
    panel = window.host.panel("text.panel")
    await until(lambda: panel._models)
    return panel


async def asked(panel, **values):
    """Generates with these settings; gives the new result."""
    known = {result.id for result in panel.results}
    panel.desk.put({"prompt": PROMPT, "model": "tiny", **values})
    panel.generate()
    await until(lambda: {result.id for result in panel.results} - known)
    return next(result for result in panel.results if result.id not in known)


async def done(result):
    await until(lambda: result.ended and (result.saved is not None or result.error))
    return result


def test_write_repeat_stop_close_reopen_drop(rig):
    async def first() -> tuple[str, str]:
        async with rig.window() as window:
            panel = await text_panel(window)
            one = await done(await asked(panel, max_tokens=24))
            assert one.error is None and one.facts["tokens"] == 24 and one.saved == PROMPT + one.stream
            assert panel.ui.work.card(one.id).text.text() == one.saved
            panel.deeds.do("again", one.id)
            await until(lambda: len(panel.results) == 2)
            again = await done(panel.results.shown()[1])
            assert again.saved == one.saved and again.params == one.params

            long = await asked(panel, max_tokens=1000)
            await until(lambda: len(long.stream) > 20)
            assert panel.cancel_current()
            await done(long)
            assert long.state == "cancelled" and long.saved == PROMPT + long.stream and len(long.stream) > 20

            left = await asked(panel, max_tokens=1000)
            await until(lambda: left.stream)
            return one.file, left.id

    async def second(file: str, id: str) -> None:
        async with rig.window() as window:
            panel = await text_panel(window)
            await until(lambda: len(panel.results) == 4)
            left = await done(panel.results.get(id))
            assert left.state == "finished" and left.facts["tokens"] == 1000
            assert panel.ui.work.card(id).text.text() == left.saved
            one = next(result for result in panel.results if result.file == file)
            panel.desk.put({"prompt": "other", "seed": None, "max_tokens": 5})
            window.drops.take([file])
            await until(lambda: panel.desk.values() == one.params)

            panel.deeds.do("delete", one.id)
            await until(lambda: not Path(file).exists() and len(panel.results) == 3)
            window.deeds.undo()
            await until(lambda: Path(file).exists() and len(panel.results) == 4)

            empty = await asked(panel, prompt="")
            await until(lambda: empty.error)
            assert "empty" in panel.ui.work.card(empty.id).error_text()
            assert not window.host.page("text.panel").trouble

    rig.run(second(*rig.run(first())))


def test_a_worker_that_is_killed_costs_one_try_and_no_word(rig):
    async def work() -> None:
        async with rig.window() as window:
            panel = await text_panel(window)
            result = await asked(panel, max_tokens=1000, seed=3)
            await until(lambda: len(result.stream) > 20)
            workers = (await panel.session.call("status"))["workers"]
            os.kill(workers[0]["pid"], signal.SIGKILL)
            await until(lambda: result.attempt == 2)
            await done(result)
            assert result.state == "finished" and result.saved == PROMPT + result.stream
            assert panel.ui.work.card(result.id).text.text() == result.saved
            assert not panel.ui.work.card(result.id).error_text()
            await asyncio.sleep(0)

    rig.run(work())
