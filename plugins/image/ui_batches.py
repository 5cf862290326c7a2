"""What the image panel asked for, as data: batches of pictures, each growing into a file. Imports no Qt."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from studio.kit.results import JobResult, JobResults, going, plural, state_words
from studio.sdk.artifact import Recipe

BESIDE = 1000
"""Numbers from here on are those of files that were saved of pictures which went on; a job has fewer pictures."""

ASKED = {"stop": "Stopping", "stopped": "Stopped; it is kept as it is", "drop": "Taken out", "save": "Saving"}


@dataclass
class Picture:
    """One picture of a batch. number: its place while it is painted, then that of its file; no two have the same.

    frame: the newest preview, encoded. path: its file, once it is on disk. recipe: what its file says it was made
    with, as far as it was read; told: what the job said of it when it was saved. asked: what was steered while it runs.
    """

    number: int
    frame: bytes = b""
    artifact: str = ""
    path: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    asked: str = ""
    gone: str = ""
    trashed: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        return dict(self.recipe.get("facts") or self.told)

    @property
    def item(self) -> int:
        """Which picture of the batch it is: its seed and its steps have this number. Known once it was told of."""
        number = self.facts.get("number")
        return number if isinstance(number, int) else self.number


@dataclass
class Batch(JobResult):
    """One job and its pictures. hidden: artifacts that were deleted here. kind: of the artifacts that are shown."""

    kind: ClassVar[str] = "image"
    pictures: list[Picture] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)

    @classmethod
    def dropped(cls, recipe: Recipe, values: dict[str, Any], path: Path | None, kind: str) -> Self:
        """The batch of a dropped file, for the case that the engine does not know its job any more."""
        id, facts = recipe.job or recipe.artifact or str(path), dict(recipe.facts)
        found = cls(id, values, "finished", recipe.created, 2**31, recipe.operation, local=True, facts=facts)
        file = {"id": recipe.artifact or id, "kind": kind, "path": str(path or "")}
        found.update({"params": values, "operation": recipe.operation, "state": "finished", "created": recipe.created,
                      "seq": 2**31, "artifacts": [file] if path else [], "facts": dict(recipe.facts)})  # fmt: skip
        return found

    @property
    def shown(self) -> list[Picture]:
        """Pictures there is something to see of, or will be."""
        found = [picture for picture in self.pictures if not picture.artifact or picture.artifact not in self.hidden]
        return sorted(found, key=lambda picture: picture.item)

    @property
    def count(self) -> int:
        """How many are shown."""
        if not self.hidden:
            return len(self.pictures)
        return sum(not picture.artifact or picture.artifact not in self.hidden for picture in self.pictures)

    @property
    def visible(self) -> bool:
        """Whether its pictures have a place on screen: not while it only waits."""
        return self.ended or self.working or any(picture.frame for picture in self.pictures)

    def picture(self, number: int) -> Picture | None:
        return next((picture for picture in self.pictures if picture.number == number), None)

    def seed_of(self, picture: Picture) -> int | None:
        """Its own seed: from its file where that was read, else as the batch counts them."""
        own = (picture.recipe.get("params") or {}).get("seed", picture.facts.get("seed"))
        if isinstance(picture.facts.get("seed"), int):
            return picture.facts["seed"]
        if isinstance(own, int) and picture.recipe:
            return own
        return None if self.seed is None else (self.seed + picture.item) % 2**32

    def update(self, job: dict[str, Any]) -> None:
        super().update(job)
        if self.ended:
            self._settle()
        else:
            self._expect(self._asked_for)

    @property
    def _asked_for(self) -> int:
        return max(1, int(self.params.get("count") or 1))

    def take_live(self, live: dict[str, Any] | None) -> None:
        super().take_live(live)
        if live and not self.ended:
            self._expect(self._asked_for)
            for artifact in live.get("artifacts") or ():
                self.take_file(artifact)

    def begun_anew(self) -> None:
        self.pictures = []

    def queued_again(self) -> None:
        self.pictures = []

    def step(self, progress: dict[str, Any]) -> None:
        """A step was done: what was asked for before it has happened."""
        further = progress.get("done") != self.progress.get("done")
        self.progress = dict(progress)
        for picture in self.pictures if further else ():
            picture.asked = "stopped" if picture.asked == "stop" else picture.asked

    def take_frames(self, frames: Iterable[bytes]) -> list[int]:
        """The previews of one step, one for each picture; b"" has nothing new. Numbers of those that changed."""
        frames = list(frames)
        if self.ended:
            return []
        self._expect(len(frames))
        changed = []
        for picture in self.pictures:
            frame = frames[picture.number] if picture.number < len(frames) else b""
            if frame and frame != picture.frame:
                picture.frame = frame
                changed.append(picture.number)
        return changed

    def take_file(self, artifact: dict[str, Any]) -> Picture | None:
        """A result that is on disk while its job goes on, with its facts; None where it is known or not shown.

        Its picture is that file from now on. Of one that was saved and went on, the file stands beside it.
        """
        id, told = str(artifact.get("id", "")), dict(artifact.get("facts") or {})
        if self.ended or not self._shows(artifact) or any(picture.artifact == id for picture in self.pictures):
            return None
        growing = [picture for picture in self.pictures if not picture.artifact]
        number = told.get("number")
        mine = [picture for picture in growing if picture.number == number or not isinstance(number, int)]
        if mine and not told.get("went_on"):
            picture = mine[0]
        else:
            picture = Picture(self._free())
            self.pictures.append(picture)
        picture.artifact, picture.path, picture.told = id, str(artifact.get("path", "")), told
        picture.asked = ""
        return picture

    def _shows(self, artifact: dict[str, Any]) -> bool:
        return artifact.get("kind", self.kind) == self.kind

    def _free(self) -> int:
        return max([BESIDE, *(picture.number + 1 for picture in self.pictures)])

    def _expect(self, count: int) -> None:
        known = {picture.number for picture in self.pictures}
        self.pictures += [Picture(number) for number in range(count) if number not in known]

    def _settle(self) -> None:
        """It has ended: pictures are what lies on disk. Each keeps its preview until its file was read.

        Files are in the order of saving, so where they were not told of one by one, and some were stopped or saved
        early, no preview can be told apart.
        """
        known = {picture.artifact: picture for picture in self.pictures if picture.artifact}
        images = [artifact for artifact in self.artifacts if self._shows(artifact)]
        steered = any(picture.asked for picture in self.pictures) or len(images) != len(self.pictures)
        frames = {} if steered else {picture.number: picture.frame for picture in self.pictures}
        taken = {picture.number for picture in known.values()}
        found = []
        for at, artifact in enumerate(images):
            id = str(artifact.get("id", ""))
            picture = known.get(id) or Picture(self._free() + at if at in taken else at, frames.get(at, b""))
            picture.artifact, picture.path, picture.asked = id, str(artifact.get("path", "")), ""
            found.append(picture)
        self.pictures = found


class Batches(JobResults[Batch]):
    """All batches of one panel. `deleted`: artifacts that are hidden, because the person deleted them.

    guests: jobs of other places, such as the cells of a table, that are looked at here and not listed.
    """

    def __init__(self, origin: str):
        super().__init__(origin, self._batch)
        self.deleted: set[str] = set()
        self.guests: dict[str, Batch] = {}

    def get(self, id: str) -> Batch | None:
        return super().get(id) or self.guests.get(id)

    def invite(self, job: dict[str, Any]) -> Batch:
        """A job of another place, to look at."""
        batch = self.guests[str(job["id"])] = self._batch(str(job["id"]), {})
        batch.update(job)
        return batch

    def _batch(self, id: str, params: dict[str, Any]) -> Batch:
        return Batch(id, params, hidden=self.deleted)

    def newest_first(self) -> list[Batch]:
        """Without those all of whose pictures were deleted."""
        return [batch for batch in reversed(self.shown()) if batch.count or not (batch.ended and batch.pictures)]

    def by_artifacts(self, ids: set[str]) -> list[tuple[Batch, Picture]]:
        every = (
            (batch, picture) for batch in (*self._by_id.values(), *self.guests.values()) for picture in batch.pictures
        )
        return [(batch, picture) for batch, picture in every if picture.artifact in ids and picture.artifact]


def status(batch: Batch) -> str:
    """What is going on, or how it ended, in one line for a person."""
    if words := state_words(batch, going(batch.progress)):
        return words
    ending = ["Stopped"] if batch.state == "cancelled" else []
    ending.append(plural(len(batch.shown), "picture") if batch.shown else "No picture was saved")
    steps = batch.params.get("steps")
    if isinstance(steps, int) and batch.shown:
        ending.append(plural(steps, "step"))
    seconds = batch.facts.get("seconds")
    if isinstance(seconds, int | float):
        ending.append(f"{seconds:.1f} s")
    return " · ".join(ending)


def ignored(batch: Batch) -> str:
    """What was asked for and could not be done, and what was done to make it fit: sentences of the job."""
    told = [*(batch.facts.get("ignored") or ()), *(batch.facts.get("guides_ignored") or ())]
    rung = batch.facts.get("rung")
    told += [f"To make it fit: {rung}."] if rung else []
    return " ".join(str(sentence) for sentence in told)
