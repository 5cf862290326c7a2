"""A folder of small named files that a person may also open, copy and edit outside: one file a name.

Owns Shelf. A file is there whole or not at all; what is removed goes into the folder's trash. Imports errors and the
library's files.
"""

import re
import time
from pathlib import Path

from studio.errors import StudioError
from studio.library import atomic

MOST = 4 << 20
_NAME = re.compile(r"[\w(][\w ()+,.!'&-]{0,99}")
# Names that Windows keeps for devices, whatever their suffix.
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class Shelf:
    """The files `<folder>/<name><suffix>`. kind: what one is called ("prompt")."""

    def __init__(self, folder: Path, suffix: str, kind: str):
        self.folder, self._suffix, self._kind = folder, suffix, kind

    def names(self) -> list[str]:
        """All names, sorted; a file whose name could not have been given here is one too."""
        files = self.folder.glob(f"*{self._suffix}") if self.folder.is_dir() else ()
        found = (file.name.removesuffix(self._suffix) for file in files if file.is_file())
        return sorted((name for name in found if not name.startswith(".")), key=str.casefold)

    def read(self, name: str) -> str:
        """Raises StudioError when it is gone, too large or no text."""
        path = self._place(name, strict=False)
        try:
            if path.stat().st_size > MOST:
                raise StudioError(f"The {self._kind} is too large", f"{path}: {MOST >> 20} MiB at most.", code="size")
            return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        except OSError as error:
            raise StudioError(f"The {self._kind} cannot be read", f"{path}: {error.strerror}.", code="gone") from None
        except UnicodeDecodeError as error:
            raise StudioError(
                f"The {self._kind} is no text", f"{path} is no UTF-8 (byte {error.start:,}).", code="not-text"
            ) from None

    def write(self, name: str, text: str, *, replace: bool = True) -> None:
        """Raises StudioError for a name that no file can have, one that is taken, and a disk that refuses."""
        path = self._place(name)
        with atomic.explained(path, None):
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            (atomic.write_file if replace else atomic.write_once)(path, text.encode())
        except FileExistsError:
            raise self._taken(name) from None

    def rename(self, old: str, new: str) -> None:
        if old == new:
            return
        target = self._place(new)
        source = self._place(old, strict=False)
        same = target.exists() and source.exists() and target.samefile(source)  # only the case of letters changes
        try:
            with atomic.explained(target, None):
                source.rename(target) if same else atomic.move_once(source, target)
        except FileExistsError:
            raise self._taken(new) from None

    def remove(self, name: str) -> str:
        """Into the trash. Returns what `restore` takes to bring it back."""
        path = self._place(name, strict=False)
        kept = f"{time.time_ns()} {path.name}"
        with atomic.explained(path, None):
            atomic.make_folder(self.folder / ".trash")
            atomic.move_once(path, self.folder / ".trash" / kept)
        return kept

    def restore(self, kept: str) -> str:
        """The name it has again. Raises StudioError when that is taken by now."""
        name = kept.partition(" ")[2].removesuffix(self._suffix)
        try:
            with atomic.explained(self.folder / name, None):
                atomic.move_once(self.folder / ".trash" / Path(kept).name, self._place(name, strict=False))
        except FileExistsError:
            raise self._taken(name) from None
        return name

    def free_name(self, wish: str) -> str:
        """A name near `wish` that a file can have and none has."""
        words = " ".join(re.sub(r"[^\w ()+,.!'&-]+", " ", wish).split())
        base = words.strip(" .,'!&+-")[:60].strip() or self._kind.capitalize()
        if not self._allowed(base):
            base = f"{self._kind.capitalize()} {base}"
        taken = {name.casefold() for name in self.names()}
        number = 2
        name = base
        while name.casefold() in taken:
            name, number = f"{base} {number}", number + 1
        return name

    def _place(self, name: str, strict: bool = True) -> Path:
        fine = self._allowed(name) if strict else name and Path(name).name == name and not name.startswith(".")
        if not fine:
            raise StudioError(
                f"A {self._kind} cannot have this name",
                f"{name[:80]!r} cannot be the name of a file everywhere.",
                "Use letters, digits, spaces and ( ) + , . ! ' & - only, up to 100.",
                code="name",
            )
        return self.folder / f"{name}{self._suffix}"

    @staticmethod
    def _allowed(name: str) -> bool:
        return bool(_NAME.fullmatch(name)) and name == name.strip(" .") and not _RESERVED.fullmatch(name)

    def _taken(self, name: str) -> StudioError:
        return StudioError(
            f"There is a {self._kind} of this name already", name, "Choose another name, or replace it.", code="taken"
        )
