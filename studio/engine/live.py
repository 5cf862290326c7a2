"""What running jobs have shown so far, so that a window that comes later sees it all."""

from dataclasses import dataclass, field
from typing import Any

from studio.wire.messages import Preview, Progress, Stream

MOST = 8_000_000  # characters of one job that are kept in memory


@dataclass(slots=True)
class Shown:
    progress: dict[str, Any] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    pictures: list[bytes] = field(default_factory=list)
    media: str = ""

    def to_dict(self) -> dict[str, Any]:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        found = {"progress": self.progress, "stream": self.pieces[0] if self.pieces else ""}
        if "eta_s" in self.progress:
            found["eta_s"] = self.progress["eta_s"]
        return found


class Live:
    """Per job on a worker: its latest progress, its whole text, its latest preview."""

    def __init__(self) -> None:
        self._jobs: dict[str, Shown] = {}

    def get(self, job: str) -> Shown | None:
        return self._jobs.get(job)

    def begin(self, job: str) -> None:
        self._jobs[job] = Shown()

    def forget(self, job: str) -> None:
        self._jobs.pop(job, None)

    def progress(self, message: Progress) -> dict[str, Any]:
        shown = self._jobs.setdefault(message.job, Shown())
        shown.progress = {
            "done": message.done,
            "total": message.total,
            "rate": message.rate,
            "unit": message.unit,
            "stage": message.stage,
        }
        if message.total and message.rate:
            shown.progress["eta_s"] = max(0.0, (message.total - message.done) / message.rate)
        return shown.progress

    def stream(self, message: Stream) -> None:
        shown = self._jobs.setdefault(message.job, Shown())
        if message.at == 0:
            shown.pieces, shown.length = [], 0
        if shown.length > MOST:
            return  # whoever watches gets it all; who comes later gets the rest from the result
        shown.pieces.append(message.text)
        shown.length += len(message.text)

    def preview(self, message: Preview) -> None:
        shown = self._jobs.setdefault(message.job, Shown())
        shown.pictures, shown.media = message.frames, message.media
