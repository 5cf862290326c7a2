"""Publishing results: a file in the library, whole and with its recipe, before anyone is told of it.

Files lie in `<library>/<YYYY-MM>/<slug>-<artifact id>.<suffix>`. A taken name is never overwritten: the next
number is. Imports sdk, errors and this package's files only; used by workers.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library import atomic
from studio.library.names import slug
from studio.library.recipe import PNG, beside, embed_text, png_with, write_beside
from studio.sdk.artifact import Artifact, Kind, Recipe

_JOB = re.compile(r"^[A-Za-z0-9_]{1,64}$")
_SUFFIX = re.compile(r"^\.[a-z0-9]{1,12}$")
_TRIES = 10_000


def publish_text(folder: Path, recipe: Recipe, text: str, *, stem: str, media: str = "text/markdown") -> Artifact:
    """Saves a text result below the library `folder`; on disk with its recipe when this returns.

    Raises StudioError: "disk-full", "read-only", "no-folder", or "not-text" for half characters.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise StudioError(
            "This text cannot be saved", f"It holds half of a character: {error}", code="not-text"
        ) from None
    for path, complete in _free_names(folder, recipe, stem, ".md", Kind.TEXT, media):
        data = embed_text(text, complete).encode("utf-8")
        try:
            atomic.write_once(path, data)
        except FileExistsError:
            continue
        return _artifact(path, complete, Kind.TEXT, media)
    raise AssertionError("unreachable")


def publish_file(
    folder: Path, recipe: Recipe, suffix: str, kind: Kind, media: str, write: Callable[[Path], None], *, stem: str
) -> Artifact:
    """Lets `write` fill a temporary file and publishes it with its recipe; returns when it is on disk.

    A PNG carries its recipe itself; for other formats it is written first, into a file beside the result.
    `write` is called once. Raises like publish_text, and passes on what `write` raises.
    """
    if not _SUFFIX.match(suffix):
        raise ValueError(f"a suffix is a dot and lower-case letters or digits, not {suffix!r}")
    names = _free_names(folder, recipe, stem, suffix, kind, media)
    path, complete = next(names)
    with atomic.staged(path) as partial:
        write(partial)
        with partial.open("rb") as file:
            picture = file.read(len(PNG)) == PNG
        pixels = partial.read_bytes() if picture else b""
        while True:
            try:
                if picture:
                    atomic.write_once(path, png_with(pixels, complete))
                else:
                    _publish_pair(partial, path, complete)
                return _artifact(path, complete, kind, media)
            except FileExistsError:
                path, complete = next(names)


def write_receipt(path: Path, receipt: dict[str, Any]) -> None:
    """The point after which a job is finished. Raises FileExistsError when it has a receipt already.

    One line; the line's end makes it whole. What a kill left without one is no receipt and is written over.
    """
    data = json.dumps(receipt, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
    try:
        atomic.create_small(path, data)
    except FileExistsError:
        if read_receipt(path) is not None:
            raise
        path.unlink(missing_ok=True)
        atomic.create_small(path, data)


def read_receipt(path: Path) -> dict[str, Any] | None:
    """The receipt at `path`, or None when there is no whole one. Raises StudioError when the disk damaged it."""
    try:
        data = path.read_bytes()
        if not data.endswith(b"\n"):
            return None
        found = json.loads(data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StudioError("A job's receipt cannot be read", f"{path}: {error}", code="receipt") from None
    if not isinstance(found, dict):
        raise StudioError("A job's receipt cannot be read", f"{path} holds no receipt.", code="receipt")
    return found


def leftovers(folder: Path, job: str, keep: tuple[str, ...] = ()) -> list[Path]:
    """Files of `job` in the library whose artifact ids are not in `keep`.

    A worker that died between its last file and the receipt leaves such files; the job runs again.
    """
    pattern = re.compile(rf"-({re.escape(job)}-[0-9]+)\.[a-z0-9]+$")
    found = ((match, path) for path in folder.glob(f"*/*-{job}-*") if (match := pattern.search(path.name)))
    return sorted(path for match, path in found if match[1] not in keep)


def _free_names(
    folder: Path, recipe: Recipe, stem: str, suffix: str, kind: Kind, media: str
) -> Iterator[tuple[Path, Recipe]]:
    """Names to try, each with the recipe that says so, from the recipe's own number upwards."""
    if not _JOB.match(recipe.job):
        raise ValueError(f"a job's id is letters and digits, not {recipe.job!r}")
    first = recipe.artifact.removeprefix(f"{recipe.job}-")
    number = int(first) if first.isdecimal() else 1
    created = recipe.created or time.time()
    atomic.make_folder(folder)
    month = folder / time.strftime("%Y-%m", time.gmtime(created))
    atomic.make_folder(month)
    name = slug(stem)
    # The number is free in the whole month, whatever the slug and suffix: ids are unique.
    mine = re.compile(rf"-{recipe.job}-([0-9]{{1,9}})\.")
    with atomic.explained(month, None), os.scandir(month) as entries:
        used = {int(found[1]) for entry in entries if (found := mine.search(entry.name))}
    for taken in range(number, number + _TRIES):
        if taken in used:
            continue
        identity = f"{recipe.job}-{taken}"
        said = {"artifact": identity, "created": created, "kind": kind.value, "media": media}
        yield month / f"{name}-{identity}{suffix}", recipe.model_copy(update=said)
    raise StudioError("The result cannot be named", f"{month} holds too many files of this job.", code="name")


def _publish_pair(partial: Path, path: Path, recipe: Recipe) -> None:
    """Recipe first, so that a result is never without one; alone it is swept by the library's index."""
    write_beside(path, recipe)
    try:
        atomic.publish_once(partial, path)
    except BaseException:
        beside(path).unlink(missing_ok=True)
        raise


def _artifact(path: Path, recipe: Recipe, kind: Kind, media: str) -> Artifact:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(
        id=recipe.artifact, job=recipe.job, kind=kind, path=str(path.absolute()),
        size=path.stat().st_size, sha256=digest, media=media,
    )  # fmt: skip
