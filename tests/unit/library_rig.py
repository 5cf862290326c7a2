"""Results in a library, and what its index and its files say of them."""

from collections.abc import Iterator
from pathlib import Path

from studio.library.index import Index
from studio.library.writer import publish_text
from studio.sdk.artifact import ModelUse, Recipe


def save(library: Path, job: str, text: str = "words", prompt: str = "A fox", created: float = 0.0, **extra):
    recipe = Recipe(
        operation="text.generate",
        params={"prompt": prompt},
        job=job,
        created=created or 1_790_000_000.0 + len(job),
        models=(ModelUse(ref="tales-5m"),),
        **extra,
    )
    return publish_text(library, recipe, text, stem=prompt)


def shown(index: Index) -> list[dict]:
    return [*index.list(limit=1000)["items"], *index.list(limit=1000, trashed=True)["items"]]


def from_files(library: Path) -> list[dict]:
    fresh = Index(None, library)
    found = shown(fresh)
    fresh.close()
    return found


def library_folder(tmp_path: Path) -> Path:
    """A fixture: an empty library."""
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


def index_of(tmp_path: Path, library: Path) -> Iterator[Index]:
    """A fixture: its index."""
    made = Index(tmp_path / "index.sqlite", library)
    yield made
    made.close()


def filled(tmp_path: Path, library: Path, count: int = 40) -> Path:
    """The closed index of a library with texts, five of them in the trash."""
    for number in range(count):
        save(library, f"j{number}", f"text {number} " + "word " * 40, f"prompt {number}")
    file = tmp_path / "index.sqlite"
    index = Index(file, library)
    index.trash([f"j{number}-1" for number in range(5)])
    index.close()
    return file
