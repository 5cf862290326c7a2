"""The results of the text panel as data: what each request has become, in words. Imports no Qt."""

from dataclasses import dataclass
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
class Result(JobResult):
    """stream: the continuation as it was watched. saved: the whole file as it was read back, prompt included.

    gone: why the file cannot be shown.
    """

    stream: str = ""
    saved: str | None = None
    gone: str = ""
    trashed: bool = False

    @property
    def artifact(self) -> str:
        """The id of the text file, empty when none was saved."""
        return next((str(a["id"]) for a in self.artifacts if a.get("kind", "text") == "text"), "")

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
        self.stream = ""

    def queued_again(self) -> None:
        self.saved, self.gone = None, ""

    def take_live(self, live: dict[str, Any] | None) -> None:
        super().take_live(live)
        if live:
            self.stream = str(live.get("stream") or "")

    def append(self, at: int, text: str) -> bool:
        """Adds streamed text that begins at character `at`; False when something before it is missing."""
        have = len(self.stream)
        if at > have:
            return False
        self.stream += text[have - at :]
        return True


class Results(JobResults[Result]):
    """All results of one panel, oldest first. `origin`: the jobs that belong here."""

    def __init__(self, origin: str):
        super().__init__(origin, Result)

    def by_artifact(self, ids: set[str]) -> list[Result]:
        return [result for result in self._by_id.values() if result.artifact in ids and result.artifact]


def status(result: Result) -> str:
    """What is going on, or how it ended, in one line for a person."""
    progress, facts = result.progress, result.facts
    parts = (_count(progress), rate_words(progress.get("rate"), "tokens"))
    if words := state_words(result, " · ".join(part for part in parts if part)):
        return words
    ending = [_ending(result)]
    if isinstance(facts.get("tokens"), int):
        ending.append(plural(facts["tokens"], "token"))
    if speed := rate_words(facts.get("tokens_per_second"), "tokens"):
        ending.append(speed)
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
    reason = str(result.facts.get("stop_reason", ""))
    words = STOP_REASONS.get(reason, reason)
    return words[:1].upper() + words[1:] if words else "Finished"


def _count(progress: dict[str, Any]) -> str:
    done, total = progress.get("done"), progress.get("total")
    if not isinstance(done, int):
        return ""
    return f"{done:,} of {total:,} tokens" if total else plural(done, "token")
