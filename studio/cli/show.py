"""What people read in a terminal: tables, sizes, times, errors, and one line of progress. Standard library only."""

import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from studio.errors import StudioError
from studio.sdk import progress


def size(count: float) -> str:
    """Bytes as people write them: "512 B", "4.1 MB"."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def span(seconds: float) -> str:
    """A duration: "0:05", "1:02:03"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(seconds: float) -> str:
    """A moment, in local time; empty for never."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def excerpt(text: str, width: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def table(rows: Sequence[Sequence[object]], headings: Sequence[str]) -> str:
    """Columns as wide as they need to be; the last one runs free."""
    cells = [tuple(headings), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def check_choice(flag: str, value: str, choices: Iterable[str]) -> None:
    """Raises StudioError (code "usage") when `value` is none of `choices`."""
    known = list(choices)
    if value not in known:
        raise StudioError(f"{flag} takes one of {', '.join(known)}, not {value!r}", code="usage")


def printable(text: str) -> str:
    """Text from a file or another process without the codes that would steer the terminal."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def error_text(error: StudioError) -> str:
    """What happened, why, what to do; each on lines of its own."""
    parts = [error.title + ("" if error.title.endswith((".", "!", "?")) else ".")]
    parts += [_indented(part) for part in (error.detail, error.hint) if part]
    if error.log:
        parts += ["  Its last output:", _indented("\n".join(error.log.strip().splitlines()[-20:]), "    ")]
    return printable("\n".join(parts))


def complain(error: StudioError) -> None:
    print(error_text(error), file=sys.stderr)


def lines(pairs: Iterable[tuple[str, object]]) -> str:
    """Name and value a line, values aligned; empty values are left out."""
    kept = [(name, str(value)) for name, value in pairs if value not in ("", None, [], {}, ())]
    width = max((len(name) for name, _ in kept), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in kept)


def progress_text(data: dict[str, Any]) -> str:
    """ "picture 2/4 · 14/80 · 41.2 tok/s · 0:02 left" from a progress event, or the name of its stage."""
    done, total, rate, unit = data.get("done") or 0, data.get("total"), data.get("rate"), data.get("unit") or "it"
    if data.get("stage") and not done:
        return str(data["stage"]) + (f" {done}/{total}" if total else "")
    parts = [progress.brief(data) or f"{done} {unit}"]
    if rate:
        parts += [f"{rate:.1f} {unit}/s", progress.left_words(data) if progress.left_s(data) else ""]
    return " · ".join(part for part in parts if part)


class StatusLine:
    """One line that is written over and over on a terminal; elsewhere nothing, so that logs stay readable."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._shown = False
        self.live = stream.isatty()

    def show(self, text: str) -> None:
        if self.live:
            width = max(20, shutil.get_terminal_size().columns - 1)
            self._stream.write("\r\033[K" + printable(excerpt(text, width)))
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._shown = False

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        print(printable(text), file=self._stream, flush=True)


def _indented(text: str, by: str = "  ") -> str:
    return "\n".join(by + line for line in text.splitlines())
