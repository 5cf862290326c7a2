"""What the video panel asked for, as data: one clip a job. What can be done with it, in words. Imports no Qt."""

from typing import Any

from studio.kit.results import going, plural, state_words

from . import ui_words
from .ui_batches import Batch, Batches, Picture

WORDS = {
    "view": ("Play large", "Plays it large, frame by frame if wanted (Enter)"),
    "export": ("Save as…", "Saves it as MP4, WebP, GIF or single PNG pictures"),
    "input": ("Use a frame", "Takes the frame on show to the Image panel, as a picture to work on"),
    "animate": ("Go on from its end", "Takes its last frame as the first picture of a new clip"),
    "vary": ("Vary", "Makes it once more with the same settings and another seed"),
    "settings": ("Use these settings", "Puts prompts, settings and seed into the form"),
    "recipe": ("Copy recipe", "Copies everything that is needed to make this clip again"),
    "folder": ("Show in folder", "Opens the folder of the file"),
    "delete": ("Delete", "Moves the file to the trash (Del); Ctrl+Z brings it back"),
    "restore": ("Put back", "Takes the file out of the trash"),
}
ICONS = {
    **ui_words.ICONS,
    "view": "play-circle-outline",
    "export": "content-save-outline",
    "animate": "movie-plus-outline",
}
ON_TILE = ("view", "export", "vary")


def icon_of(deed: str) -> str:
    return "mdi6." + ICONS[deed]


def offered(picture: Picture, running: bool) -> tuple[str, ...]:
    """What can be done with one clip, in the order of its menu."""
    if picture.trashed:
        return ("restore", "settings")
    if running and not picture.path:
        return ("view",)
    if not picture.path or picture.gone:
        return ("settings", "delete")
    return ("view", "export", "input", "animate", "vary", "settings", "recipe", "folder", "delete")


class ClipBatch(Batch):
    """A job that makes one clip."""

    kind = "video"

    @property
    def prompt(self) -> str:
        return title_of(self.params)


class ClipBatches(Batches):
    def _batch(self, id: str, params: dict[str, Any]) -> ClipBatch:
        return ClipBatch(id, params, hidden=self.deleted)


def title_of(params: dict[str, Any]) -> str:
    """The prompt, or the prompts of all stops."""
    stops = [str(stop.get("prompt", "")).strip() for stop in params.get("stops") or ()]
    return " → ".join(prompt for prompt in stops if prompt) if stops else str(params.get("prompt", ""))


def facts(batch: Batch, title: str) -> list[str]:
    """How it was made, shortly."""
    told, params = batch.facts, batch.params
    found = [title]
    if told.get("width") and told.get("height"):
        found.append(f"{told['width']} × {told['height']}")
    if isinstance(params.get("stops"), list):
        found.append(plural(len(params["stops"]), "stop"))
    if batch.seed is not None:
        found.append(f"seed {batch.seed}")
    return [part for part in found if part]


def status(batch: Batch) -> str:
    """What is going on, or how it ended, in one line for a person."""
    if words := state_words(batch, going(batch.progress)):
        return words
    if not batch.shown:
        return "Stopped" if batch.state == "cancelled" else "No clip was saved"
    told = batch.facts
    frames, fps = told.get("frames"), told.get("fps")
    found = ["Stopped"] if batch.state == "cancelled" else []
    if isinstance(frames, int) and isinstance(fps, int | float) and fps:
        asked = told.get("frames_asked")
        of = f" of {asked:,}" if batch.state == "cancelled" and isinstance(asked, int) else ""
        found += [f"{frames:,}{of} frames" if frames != 1 or of else "1 frame", f"{fps:g} a second",
                  f"{frames / fps:.1f} s long"]  # fmt: skip
    if isinstance(told.get("seconds"), int | float):
        found.append(f"made in {told['seconds']:.1f} s")
    return " · ".join(found)
