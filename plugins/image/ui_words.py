"""What can be done with a picture and with a batch: words, icons, and when each makes sense. Imports no Qt."""

from .ui_batches import Batch, Picture

WORDS = {
    "view": ("Show large", "Shows it large, to look at closely (Enter)"),
    "stop_one": ("Stop", "Stops this picture here and keeps it as it is; the others go on"),
    "drop": ("Drop", "Takes this picture out of the batch; the others go on"),
    "save": ("Save now", "Saves it as it is at this step and goes on"),
    "branch": ("Branch", "Goes on from one of its steps with another prompt, guidance or sampler"),
    "keep": ("Keep only this", "Moves the batch's other pictures to the trash; Ctrl+Z brings them back"),
    "vary": ("Vary", "Paints variations of this picture: the same seed, leaning a little elsewhere"),
    "input": ("Use as input", "Takes this picture into the mode that is chosen; from Create into Transform"),
    "transform": ("Send to Transform", "Paints a picture anew, near to this one"),
    "inpaint": ("Send to Inpaint", "Repaints a part of this picture"),
    "extend": ("Send to Extend", "Paints on beyond the edges of this picture"),
    "enlarge": ("Send to Enlarge", "Makes this picture larger"),
    "edit": ("Send to Edit", "Changes this picture as a sentence says"),
    "reference": ("Use as reference", "The next pictures lean on this one"),
    "compare": ("Compare", "Lays this picture over another one, with a slider between"),
    "settings": ("Use these settings", "Puts prompt, settings and this picture's own seed into the form"),
    "lock": ("Lock this seed", "Every next picture uses this seed until the lock is opened"),
    "recipe": ("Copy recipe", "Copies everything that is needed to make this picture again"),
    "copy": ("Copy picture", "Copies the picture itself"),
    "folder": ("Show in folder", "Opens the folder of the file"),
    "delete": ("Delete", "Moves the file to the trash (Del); Ctrl+Z brings it back"),
    "restore": ("Put back", "Takes the file out of the trash"),
    "again": ("Again", "Makes exactly this once more: same settings, same seeds"),
    "more": ("More like this", "Same settings, new seeds"),
    "cancel": ("Cancel", "Takes this request out of the queue"),
    "resume": ("Resume", "Goes on where it was paused"),
    "stop": ("Stop", "Stops and keeps what was made so far (Esc)"),
    "retry": ("Retry", "Runs this request once more"),
    "use": ("Use these settings", "Puts prompt, settings and seed of this batch into the form"),
    "remove": ("Delete", "Moves all pictures of this batch to the trash; Ctrl+Z brings them back"),
}
ICONS = {
    "view": "magnify-plus-outline",
    "stop_one": "stop",
    "drop": "close",
    "save": "content-save-outline",
    "branch": "source-branch",
    "keep": "star-outline",
    "vary": "shuffle-variant",
    "input": "image-edit-outline",
    "transform": "image-refresh-outline",
    "inpaint": "brush",
    "extend": "arrow-expand-all",
    "enlarge": "magnify-expand",
    "edit": "text-box-edit-outline",
    "reference": "image-multiple-outline",
    "compare": "compare",
    "settings": "tune-variant",
    "lock": "lock-outline",
    "recipe": "script-text-outline",
    "copy": "content-copy",
    "folder": "folder-open-outline",
    "delete": "delete-outline",
    "restore": "delete-restore",
    "again": "refresh",
    "more": "dice-multiple-outline",
    "cancel": "close",
    "resume": "play",
    "stop": "stop",
    "retry": "refresh",
    "use": "tune-variant",
    "remove": "delete-outline",
}
RUNNING = ("stop_one", "drop", "save", "branch")
SENT = ("transform", "inpaint", "extend", "enlarge", "edit", "reference")


def icon_of(deed: str) -> str:
    return "mdi6." + ICONS[deed]


def offered(picture: Picture, running: bool) -> tuple[str, ...]:
    """What can be done with one picture, in the order of its menu. running: its job is at work, on it or on others."""
    if picture.trashed:
        return ("restore", "settings", "lock")
    if running and not picture.path:
        return ("view",) if picture.asked in ("stop", "stopped", "drop") else ("view", *RUNNING)
    if not picture.path or picture.gone:
        return ("settings", "lock", "delete")
    return (
        "view", "branch", *(() if running else ("keep",)), "vary", "input", *SENT, "compare",
        "settings", "lock", "copy", "recipe", "folder", "delete",
    )  # fmt: skip


def offered_for(batch: Batch) -> tuple[str, ...]:
    """What can be done with a whole batch: the buttons of its card."""
    if batch.state == "cancelling":
        return ("use",)
    if batch.state == "paused":
        return ("resume", "cancel", "use")
    if not batch.ended:
        return ("stop" if batch.working else "cancel", "use")
    if batch.state == "failed":
        return ("retry", "use", "remove")
    return ("more", "again", "use", "remove")
