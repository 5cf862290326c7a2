"""The modes of the video panel, and which of their params have a place of their own."""

from .params_clips import Clips
from .ui_modes import Mode, ModeSet

TRAVEL = "travel"
MODES = {
    mode.id: mode
    for mode in (
        Mode(TRAVEL, "Travel", "image.travel", "Glides from prompt to prompt, with any picture model"),
        Mode("words", "From words", "image.clip", "A clip from words, with a video model", "text-to-video"),
        Mode(
            "picture", "From a picture", "image.animate", "A clip that begins with a picture, with a video model",
            "image-to-video",
        ),
    )
}  # fmt: skip
OF_OPERATION = {mode.operation: mode.id for mode in MODES.values()}
OUTSIDE = ("prompt", "negative", "model", "stops")
SHARED = frozenset(Clips.model_fields) & {"seed", "container"}
OF_CLIPS = ModeSet(MODES, OUTSIDE, SHARED, ("Picture", "Clip", "Size"))
STOPS = (
    {"prompt": "red apple", "seed": None, "frames": 12},
    {"prompt": "green apple", "seed": None, "frames": 12},
)
"""The travel that the panel begins with: it works with the model that comes with the application."""
