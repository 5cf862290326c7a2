"""The results of the text panel as data: what each request has become, in words. Imports no Qt."""

from dataclasses import dataclass, field
from typing import Any

from studio.kit.results import (
    ENDED,
    WAITING,
    JobResult,
    JobResults,
    about,
    clock,
    plural,
    rate_words,
    state_words,
)
from studio.sdk.params import SEED_LIMIT

__all__ = ["ENDED", "WAITING", "Result", "Results", "about", "clock", "plural", "status"]

STOP_REASONS = {
    "length": "token limit reached",
    "eos": "the model ended the text",
    "stop": "a stop string came up",
    "grammar": "the structure is complete",
    "rule": "it ended by its own rule",
    "context": "the model's context is full",
    "cancelled": "stopped",
}


@dataclass
class Writing:
    """One text of a request. stream: the continuation as it was watched. saved: the whole file as it was read back,
    prompt included. gone: why the file cannot be shown."""

    stream: str = ""
    saved: str | None = None
    gone: str = ""
    trashed: bool = False


@dataclass
class Result(JobResult):
    """A request and its texts, of which there may be several. shown: which of them everything here is about."""

    writings: dict[int, Writing] = field(default_factory=dict)
    shown: int = 0

    @property
    def writing(self) -> Writing:
        return self.writings.setdefault(self.shown, Writing())

    @property
    def count(self) -> int:
        """How many texts there are, or will be."""
        wanted = self.params.get("count", 1)
        expected = wanted if isinstance(wanted, int) and not self.ended else 1
        return max(expected, len(self._texts), max(self.writings, default=0) + 1)

    def show(self, item: int) -> None:
        """Turns to another of its texts; beyond the last comes the first."""
        self.shown = item % self.count

    @property
    def stream(self) -> str:
        return self.writing.stream

    @stream.setter
    def stream(self, text: str) -> None:
        self.writing.stream = text

    @property
    def saved(self) -> str | None:
        return self.writing.saved

    @saved.setter
    def saved(self, text: str | None) -> None:
        self.writing.saved = text

    @property
    def gone(self) -> str:
        return self.writing.gone

    @gone.setter
    def gone(self, why: str) -> None:
        self.writing.gone = why

    @property
    def trashed(self) -> bool:
        return self.writing.trashed

    @trashed.setter
    def trashed(self, trashed: bool) -> None:
        self.writing.trashed = trashed

    @property
    def seed(self) -> int | None:
        """The shown text's own: they count on from the first."""
        first = super().seed
        return first if first is None else (first + self.shown) % (SEED_LIMIT + 1)

    @property
    def _texts(self) -> list[dict[str, Any]]:
        return [a for a in self.artifacts if a.get("kind", "text") == "text"]

    @property
    def ids(self) -> list[str]:
        """Of all its files."""
        return [str(a["id"]) for a in self._texts]

    @property
    def artifact(self) -> str:
        """The id of the text file, empty when none was saved."""
        return self.ids[self.shown] if self.shown < len(self.ids) else ""

    @property
    def file(self) -> str:
        texts = self._texts
        return self.path or (str(texts[self.shown].get("path", "")) if self.shown < len(texts) else "")

    @property
    def continuation(self) -> str:
        """What the model wrote: from the file where it was read back, else what was watched."""
        if self.saved is None:
            return self.stream
        count = self.facts.get("prompt_chars")
        cut = count if isinstance(count, int) and 0 <= count <= len(self.saved) else len(self.prompt)
        return self.saved[cut:] if self.saved[:cut] == self.prompt else self.saved

    @property
    def whole(self) -> str:
        """Prompt and continuation."""
        if self.saved is not None:
            return self.saved
        return self.prompt + self.stream

    def begun_anew(self) -> None:
        for writing in self.writings.values():
            writing.stream = ""

    def queued_again(self) -> None:
        for writing in self.writings.values():
            writing.saved, writing.gone = None, ""

    def take_live(self, live: dict[str, Any] | None) -> None:
        super().take_live(live)
        if live:
            for item, text in enumerate(live.get("streams") or [live.get("stream") or ""]):
                self.writings.setdefault(item, Writing()).stream = str(text)

    def append(self, at: int, text: str, item: int = 0) -> bool:
        """Adds streamed text that begins at character `at`; False when something before it is missing."""
        writing = self.writings.setdefault(item, Writing())
        have = len(writing.stream)
        if at > have:
            return False
        writing.stream += text[have - at :]
        return True


class Results(JobResults[Result]):
    """All results of one panel, oldest first. `origin`: the jobs that belong here."""

    def __init__(self, origin: str):
        super().__init__(origin, Result)

    def by_artifact(self, ids: set[str]) -> list[Result]:
        return [result for result in self._by_id.values() if ids.intersection(result.ids)]


def status(result: Result) -> str:
    """What is going on, or how it ended, in one line for a person."""
    progress, facts = result.progress, result.facts
    parts = (_count(progress), rate_words(progress.get("rate"), "tokens"))
    if words := state_words(result, " · ".join(part for part in parts if part)):
        return words
    ending = [_ending(result)]
    if result.count > 1:  # the facts are those of the last text
        ending.append(f"{result.count} texts")
    elif isinstance(facts.get("tokens"), int):
        ending.append(plural(facts["tokens"], "token"))
    if result.count == 1 and (speed := rate_words(facts.get("tokens_per_second"), "tokens")):
        ending.append(speed)
    if drafted := facts.get("drafted_tokens"):
        ending.append(f"{facts.get('accepted_drafts', 0) / drafted:.0%} of {drafted:,} drafts accepted")
    if reused := reuse_words(facts):
        ending.append(reused)
    return " · ".join(part for part in ending if part)


def reuse_words(facts: dict[str, Any]) -> str:
    """How much of the prompt did not have to be read again; empty where nothing of it was known."""
    reused, total = facts.get("reused_tokens"), facts.get("prompt_tokens")
    return f"reused {reused:,} of {total:,}" if isinstance(reused, int) and isinstance(total, int) and reused else ""


def broke_words(facts: dict[str, Any]) -> str:
    """What kept more of the prompt from being reused, as a sentence; empty when nothing did."""
    broke = str(facts.get("reuse_broke") or "")
    return f"Reused up to where the prompt differs from what was read before: {broke}." if broke else ""


def _ending(result: Result) -> str:
    if result.state == "cancelled":
        return "Stopped"
    reason = str(result.facts.get("stop_reason", "")) if result.count == 1 else ""
    words = STOP_REASONS.get(reason, reason)
    return words[:1].upper() + words[1:] if words else "Finished"


def _count(progress: dict[str, Any]) -> str:
    done, total = progress.get("done"), progress.get("total")
    if not isinstance(done, int):
        return ""
    return f"{done:,} of {total:,} tokens" if total else plural(done, "token")
