"""Pictures through a real engine: what a file says, and thumbnails of several things in one request."""

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from studio.errors import StudioError

pytestmark = pytest.mark.worker


def test_a_picture_is_read_and_thumbnails_come_together(engine, tmp_path: Path) -> None:
    library = engine.paths.library / "2026-01"
    library.mkdir(parents=True)
    said = PngImagePlugin.PngInfo()
    said.add_text("parameters", "a fox\nSteps: 1, Sampler: Euler, Seed: 2")
    for n in range(3):
        Image.new("RGB", (600, 300), (80 * n, 0, 0)).save(library / f"p{n}.png", pnginfo=said)
    (library / "broken.png").write_bytes(b"no picture")
    (library / "note.md").write_text("words")

    async def scene() -> None:
        async with engine.life() as watcher:
            call = watcher.client.call_with_frames
            for _ in range(200):
                items = (await watcher.client.call("library.list"))["items"]
                if len(items) == 5:
                    break
                await asyncio.sleep(0.05)
            ids = {Path(item["path"]).name: item["id"] for item in items}
            found, _ = await call("picture.read", path=str(library / "p0.png"))
            assert (found["width"], found["height"], found["format"]) == (600, 300, "PNG")
            assert found["texts"]["parameters"].startswith("a fox") and found["recipe"] is None
            wanted = [ids["p1.png"], ids["broken.png"], "unknown", ids["note.md"], ids["p2.png"]]
            answer, frames = await call("library.thumbnails", ids=wanted, size=128)
            assert [bool(frame) for frame in frames] == [True, False, False, False, True]
            assert [bool(item["problem"]) for item in answer["items"]] == [False, True, True, False, False]
            _, (one,) = await call("library.thumbnail", id=ids["p0.png"], size=600)
            assert Image.open(io.BytesIO(one)).size == (600, 300)
            assert any(engine.paths.thumbnails.rglob("*"))
            for method, params in (
                ("picture.read", {"path": str(library / "broken.png")}),
                ("picture.read", {"path": "relative.png"}),
                ("library.thumbnail", {"id": "unknown"}),
                ("library.thumbnail", {"id": ids["broken.png"]}),
                ("library.thumbnails", {"ids": ["x"] * 1000}),
            ):
                with pytest.raises(StudioError):
                    await call(method, **params)

    asyncio.run(scene())
