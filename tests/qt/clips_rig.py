"""A video panel over an engine that makes the clips that the test wants."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from plugins.image import containers
from tests.qt.image_rig import ImageSession

COLOURS = ((200, 30, 30), (30, 180, 60), (40, 60, 200), (220, 180, 30), (150, 50, 170), (30, 170, 170))


def frames(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    """Pictures of one colour each."""
    return [Image.new("RGB", size, COLOURS[number % len(COLOURS)]) for number in range(count)]


def clip(path: Path, count: int = 6, fps: float = 12, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    containers.write(path, path.suffix[1:], frames(count, size), fps)
    return path


def preview(count: int = 3) -> bytes:
    """A moving preview, as clips being made show it."""
    data = io.BytesIO()
    first, *rest = frames(count, (16, 12))
    first.save(data, "WEBP", save_all=True, append_images=rest, duration=100)
    return data.getvalue()


def which(rgb: Any) -> int:
    """The number of the frame whose colour this is."""
    return min(range(len(COLOURS)), key=lambda n: sum(abs(a - b) for a, b in zip(COLOURS[n], rgb[:3], strict=False)))


class ClipSession(ImageSession):
    """A session whose jobs make clips."""

    panel_id = "image.clips"

    def film(self, job: str, count: int = 6, fps: float = 12, state: str = "finished", suffix: str = ".mp4") -> str:
        """Saves the clip and ends the job. The artifact's id."""
        engine, params = self.engine, self.engine.jobs[job]["params"]
        engine.live.pop(job, None)
        id = f"{job}-1"
        path = clip(engine.library / f"{id}{suffix}", count, fps)
        facts = {"frames": count, "fps": fps, "width": 64, "height": 48, "seconds": 1.5}
        engine.recipes[id] = {"operation": engine.jobs[job]["operation"], "params": dict(params), "job": job,
                              "artifact": id, "facts": facts}  # fmt: skip
        engine.texts[id] = ""
        engine.items[id] = {"id": id, "job": job, "kind": "video", "path": str(path), "trashed": False,
                            "excerpt": "", "created": 1.0}  # fmt: skip
        artifacts = [{"id": id, "job": job, "kind": "video", "path": str(path), "size": 1, "sha256": "0" * 64}]
        engine.announce(job, state=state, worker="", artifacts=artifacts, facts=facts)
        engine.emit("library", changed=[id], removed=[])
        return id
