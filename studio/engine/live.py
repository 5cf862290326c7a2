"""What running jobs have shown so far, so that a window that comes later sees it all."""

from dataclasses import dataclass, field
from typing import Any

from studio.wire.messages import Preview, Progress, Saved, Stream

MOST = 8_000_000  # characters of one job that are kept in memory


@dataclass(slots=True)
class Shown:
    """saved: results that are on disk already, each with its facts. listed: how many of them the library has."""

    progress: dict[str, Any] = field(default_factory=dict)
    texts: dict[int, list[str]] = field(default_factory=dict)
    length: int = 0
    pictures: list[bytes] = field(default_factory=list)
    media: str = ""
    saved: list[dict[str, Any]] = field(default_factory=list)
    listed: int = 0

    def to_dict(self) -> dict[str, Any]:
        self.texts = {item: ["".join(pieces)] for item, pieces in self.texts.items()}
        texts = [self.texts[item][0] if item in self.texts else "" for item in range(max(self.texts, default=0) + 1)]
        found: dict[str, Any] = {"progress": self.progress, "stream": texts[0]}
        if len(texts) > 1:
            found["streams"] = texts
        if self.saved:
            found["artifacts"] = list(self.saved)
        if "eta_s" in self.progress:
            found["eta_s"] = self.progress["eta_s"]
        return found


class Live:
    """Per job on a worker: its latest progress, its whole text, its latest preview, its results so far."""

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
        if message.rounds > 1:
            shown.progress |= {"round": message.round, "rounds": message.rounds, "name": message.name}
        if message.share is not None:
            shown.progress["share"] = message.share
        if message.left is not None:
            shown.progress["eta_s"] = message.left
        elif message.total and message.rate and message.share is None:
            shown.progress["eta_s"] = max(0.0, (message.total - message.done) / message.rate)
        return shown.progress

    def stream(self, message: Stream) -> None:
        shown = self._jobs.setdefault(message.job, Shown())
        if message.at == 0:
            shown.length -= sum(map(len, shown.texts.pop(message.item, ())))
        if shown.length > MOST:
            return  # whoever watches gets it all; who comes later gets the rest from the result
        shown.texts.setdefault(message.item, []).append(message.text)
        shown.length += len(message.text)

    def preview(self, message: Preview) -> None:
        shown = self._jobs.setdefault(message.job, Shown())
        shown.pictures, shown.media = message.frames, message.media

    def saved(self, message: Saved) -> dict[str, Any]:
        """The result with its facts, as clients are told of it."""
        shown = self._jobs.setdefault(message.job, Shown())
        shown.saved.append({**message.artifact, "facts": message.facts})
        return shown.saved[-1]

    def unlisted(self, job: str) -> list[dict[str, Any]]:
        """Results that the library has not been given yet; they count as given from now on."""
        shown = self._jobs.get(job)
        if shown is None or shown.listed == len(shown.saved):
            return []
        found, shown.listed = shown.saved[shown.listed :], len(shown.saved)
        return found
