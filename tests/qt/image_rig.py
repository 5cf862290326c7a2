"""An image panel over an engine that paints what the test wants: previews, files, steps."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QColor, QImage, QPainter

from studio.wire.messages import Event
from tests.qt.panel_session import FakeSession, model_entry

COLOURS = ("#c0392b", "#27ae60", "#2980b9", "#f39c12", "#8e44ad", "#16a085")


def drawn(number: int, side: int = 64, height: int = 0, blur: bool = False) -> QImage:
    """A disc in a colour of its own; `blur`: only its colour."""
    image = QImage(side, height or side, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    painter.setBrush(QColor(COLOURS[number % len(COLOURS)]))
    if blur:
        painter.setOpacity(0.4)
    painter.drawEllipse(side // 8, side // 8, side * 3 // 4, (height or side) * 3 // 4)
    painter.end()
    return image


def encoded(image: QImage, form: str = "PNG") -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, form)  # type: ignore[call-overload]
    return bytes(data.data())


def painter_entry(id: str = "emoji-64", **values: Any) -> dict[str, Any]:
    """A picture model of the catalogue: SDXL's layout at 64 pixels."""
    plain = {
        "capability": "text-to-image", "family": "StableDiffusionXLPipeline", "starter": True, "context": None,
        "config": {"_class_name": "StableDiffusionXLPipeline", "components": {
            "unet": {"sample_size": 16, "in_channels": 4},
            "vae": {"block_out_channels": [32, 64, 64], "latent_channels": 4}}},
    }  # fmt: skip
    return model_entry(id, **{**plain, **values})


class ImageSession(FakeSession):
    """A FakeSession whose jobs make pictures. panel_id: the panel that shows them."""

    panel_id = "image.panel"

    def show_frames(self, job: str, frames: list[bytes]) -> None:
        for listener in list(self.engine.listeners):
            listener(Event("preview", job, {"media": "image/png"}, frames))

    def paint(self, job: str, step: int, total: int, count: int = 1, rate: float = 2.0) -> None:
        """One step: progress, and a preview of every picture."""
        self.engine.progress(job, done=step, total=total, rate=rate, unit="it")
        self.show_frames(job, [encoded(drawn(number, blur=True)) for number in range(count)])

    def keep_step(self, job: str, number: int, step: int) -> Path:
        folder = self.paths.steps / job
        folder.mkdir(parents=True, exist_ok=True)
        drawn(number + step, blur=True).save(str(folder / f"{number}-{step}.jpg"))
        latents = folder / f"{number}-{step}.safetensors"
        latents.write_bytes(b"latents")
        return latents

    def keep_tile(self, job: str, tile: int, preview: bool = True) -> str:
        """A painted tile of an enlarged picture."""
        folder = self.paths.steps / job
        folder.mkdir(parents=True, exist_ok=True)
        drawn(tile, 16).save(str(folder / f"0-{tile}.png"))
        if preview:
            drawn(tile, blur=True).save(str(folder / f"0-{tile}.jpg"))
        return str(folder / f"0-{tile}.png")

    def save(self, job: str, number: int, step: int, **facts: Any) -> str:
        """A picture is saved while the job goes on: stopped after `step`, unless `facts` say that it went on."""
        before = self.engine.live[job].setdefault("artifacts", [])
        told = {"seed": (self.engine.jobs[job]["params"].get("seed") or 0) + number, "number": number, **facts}
        before.append(self._made(job, len(before) + 1, number, {**told, "stopped_at": step}))
        self.engine.emit("saved", job, artifact=before[-1])
        return before[-1]["id"]

    def finish(self, job: str, count: int = 1, state: str = "finished", side: int = 64, height: int = 0) -> list[str]:
        """Saves the pictures and ends the job. The artifacts' ids."""
        engine, seed = self.engine, self.engine.jobs[job]["params"].get("seed") or 0
        made = list((engine.live.pop(job, None) or {}).get("artifacts", ()))
        there = {one["facts"]["number"] for one in made if "went_on" not in one["facts"]}
        for number in range(count):
            if number not in there:
                facts = {"seed": seed + number, "number": number}
                made.append(self._made(job, len(made) + 1, number, facts, side, height))
        plain = [{name: value for name, value in one.items() if name != "facts"} for one in made]
        engine.announce(job, state=state, worker="", artifacts=plain, facts={})
        engine.emit("library", changed=[one["id"] for one in made], removed=[])
        return [one["id"] for one in made]

    def _made(
        self, job: str, at: int, number: int, facts: dict[str, Any], side: int = 64, height: int = 0
    ) -> dict[str, Any]:
        """A picture's file in the library, as the worker tells of it."""
        engine, params, id = self.engine, self.engine.jobs[job]["params"], f"{job}-{at}"
        path = engine.library / f"{id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn(number, side, height).save(str(path))
        recipe = {"operation": engine.jobs[job]["operation"], "params": {**params, "seed": facts["seed"], "count": 1},
                  "job": job, "artifact": id, "facts": facts}  # fmt: skip
        engine.recipes[id], engine.texts[id] = recipe, ""
        engine.items[id] = {"id": id, "job": job, "kind": "image", "path": str(path), "trashed": False,
                            "excerpt": params.get("prompt", ""), "created": 1.0}  # fmt: skip
        return {"id": id, "job": job, "kind": "image", "path": str(path), "size": 1, "sha256": "0" * 64,
                "facts": facts}  # fmt: skip
