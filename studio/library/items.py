"""What the index knows of one file in the library; everything comes from the file, so it can be found again.

Imports sdk, errors and this package's recipes only.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library.recipe import BESIDE, LIMIT, beside, read_recipe, read_text
from studio.sdk.artifact import Kind, Recipe

TRASH = ".trash"
EXCERPT = 400
SEARCHED = 100_000
SHOWN_PROMPT = 2000
_KINDS = {
    Kind.TEXT: {".md": "text/markdown", ".txt": "text/plain"},
    Kind.IMAGE: {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"},
    Kind.AUDIO: {
        ".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/opus", ".mp3": "audio/mpeg",
    },
    Kind.VIDEO: {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif", ".mov": "video/quicktime"},
    Kind.MODEL: {".safetensors": "application/octet-stream"},
    Kind.DATA: {".json": "application/json", ".jsonl": "application/jsonl", ".csv": "text/csv"},
}  # fmt: skip
_ARTIFACT = re.compile(r"[A-Za-z0-9_]{1,64}-[0-9]{1,9}")
SUFFIXES = {suffix: (kind, media) for kind, medias in _KINDS.items() for suffix, media in medias.items()}


@dataclass(frozen=True, slots=True)
class Item:
    """One file. path: relative, with slashes; artifact: the id its recipe claims; stamp: changes with the file."""

    path: str
    artifact: str
    job: str
    kind: str
    media: str
    size: int
    created: float
    title: str
    prompt: str
    model: str
    operation: str
    excerpt: str
    stamp: str
    searched_prompt: str
    searched_text: str

    @property
    def canonical(self) -> bool:
        """Whether the file has the name it was published under; copies by others usually do not."""
        return bool(self.artifact) and Path(self.path).stem.endswith(f"-{self.artifact}")


def is_trashed(path: str) -> bool:
    return path.startswith(TRASH + "/")


def live_path(path: str) -> str:
    """Where a file lies, or lay before it was put into the trash."""
    return path.removeprefix(TRASH + "/")


def own_id(path: str) -> str:
    """An id from the place alone, for files without a recipe and for copies; no artifact can claim it."""
    return "file:" + hashlib.sha256(path.encode()).hexdigest()[:20]


def stamp_of(status: os.stat_result, side: os.stat_result | None) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}:{side.st_mtime_ns if side else 0}"


def is_listed(name: str, others: set[str] | dict[str, Any]) -> bool:
    """Whether a file of this name is a result: known by its suffix, or by a recipe beside it."""
    if name.startswith(".") or name.endswith(BESIDE):
        return False
    return Path(name).suffix.lower() in SUFFIXES or name + BESIDE in others


def read_item(folder: Path, path: str) -> Item | None:
    """Reads the file at `path` below `folder`. None when it is not there or cannot be read at all."""
    file = folder / path
    try:
        status = file.stat()
        side = beside(file).stat() if beside(file).is_file() else None
    except OSError:
        return None
    kind, media = SUFFIXES.get(file.suffix.lower(), (Kind.DATA, "application/octet-stream"))
    text, recipe = "", None
    try:
        if kind is Kind.TEXT and status.st_size <= LIMIT:
            text, recipe = read_text(file)
        else:
            recipe = read_recipe(file)
    except StudioError as error:
        if error.code in ("not-found", "unreadable"):
            return None
        if kind is Kind.TEXT:
            text = _start_of(file)
    return _item(path, status, stamp_of(status, side), kind, media, text, recipe)


def _item(
    path: str, status: os.stat_result, stamp: str, kind: Kind, media: str, text: str, recipe: Recipe | None
) -> Item:
    extra = (recipe.model_extra or {}) if recipe else {}
    # What has several prompts says them together in its facts.
    prompt = _plain(recipe.params.get("prompt") or recipe.facts.get("prompt") or "") if recipe else ""
    title = _plain(extra.get("title", "")) or _first_line(prompt) or Path(path).stem
    model = recipe.models[0].ref if recipe and recipe.models else recipe.params.get("model", "") if recipe else ""
    known = recipe is not None and extra.get("kind") in list(Kind)
    return Item(
        path=path,
        artifact=recipe.artifact if recipe and _ARTIFACT.fullmatch(recipe.artifact) else "",
        job=_plain(recipe.job) if recipe else "",
        kind=str(extra["kind"]) if known else kind.value,
        media=_plain(extra.get("media", "")) or media,
        size=status.st_size,
        created=recipe.created if recipe and recipe.created else status.st_mtime,
        title=title[:200],
        prompt=prompt[:SHOWN_PROMPT],
        model=_plain(model)[:200],
        operation=_plain(recipe.operation) if recipe else "",
        excerpt=_plain(text[: 4 * EXCERPT]).strip()[:EXCERPT],
        stamp=stamp,
        searched_prompt=prompt[:SEARCHED],
        searched_text=_plain(text[:SEARCHED]),
    )


def _start_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(SEARCHED).decode("utf-8", "replace")
    except OSError:
        return ""


def _first_line(text: str) -> str:
    return next((line.strip() for line in text[:1000].splitlines() if line.strip()), "")


def _plain(value: Any) -> str:
    """Text that a database takes: no half characters, no NUL."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", " ")
