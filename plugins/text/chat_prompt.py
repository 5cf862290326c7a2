"""From a conversation to the ids that are sent: system prompt, template, what is left out for want of room.

Owns `chat_prompt`. Counts with the model's own tokenizer, so what it says about the context is exact. Some templates
know no system prompt or want the roles to alternate; what was done about that is said. Imports no torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.errors import StudioError

from .context_budget import Fit, fit
from .templates import Format, Template

Messages = list[dict[str, str]]
Change = Callable[[Messages], Messages]


@dataclass(slots=True)
class ChatPrompt:
    """lead: what of the answer is in the ids already. fit: how it stands to the context. adapted: what was changed."""

    ids: list[int]
    lead: str
    template: Template
    fit: Fit
    adapted: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """For the recipe."""
        found: dict[str, Any] = {"messages": self.fit.of - self.fit.dropped, **self.template.facts()}
        if self.adapted:
            found["adapted"] = self.adapted
        if self.fit.dropped:
            found |= {"dropped_messages": self.fit.dropped, "dropped_tokens": self.fit.whole - self.fit.tokens}
        return found


def chat_prompt(
    form: Format,
    system: str,
    said: Sequence[dict[str, str]],
    context: int | None,
    max_tokens: int,
    *,
    going_on: bool = False,
    tokens: Sequence[int] = (),
    drop: bool = False,
) -> ChatPrompt:
    """The prompt for an answer to `said`, or for more of its last message.

    system: the system prompt. said: what follows it. going_on: the last message is an answer to be continued; tokens:
    those that it was written with. drop: leave out the oldest turns rather than refuse.

    Raises StudioError: "empty", "too-long" with what would have to go, and those of the template.
    """
    _check(said, going_on)
    asked = _Asked(form, system, list(said), going_on, tokens)
    roles = [message["role"] for message in said]
    found = fit(roles, lambda dropped: len(asked.prompt(dropped)[0]), context, max_tokens, True)
    if not found.fits or (found.dropped and not drop):
        raise _too_long(found)
    ids, lead = asked.prompt(found.dropped)
    return ChatPrompt(ids, lead, form.template, found, asked.adapted)


class _Asked:
    """One conversation in one format, with the changes that its template turned out to need."""

    def __init__(self, form: Format, system: str, said: Messages, going_on: bool, tokens: Sequence[int]):
        self._form, self._system, self._said = form, system, said
        self._going_on, self._tokens = going_on, tokens
        self._known: dict[int, tuple[list[int], str]] = {}
        self._changes: Sequence[tuple[str, Change]] | None = None

    @property
    def adapted(self) -> list[str]:
        return [words for words, _ in self._changes or ()]

    def prompt(self, dropped: int) -> tuple[list[int], str]:
        """Without the first `dropped` messages behind the system prompt: ids, and what they hold of the answer."""
        if dropped not in self._known:
            head = [{"role": "system", "content": self._system}] if self._system else []
            self._known[dropped] = self._try([*head, *self._said[dropped:]])
        return self._known[dropped]

    def _try(self, messages: Messages) -> tuple[list[int], str]:
        if self._changes is not None:
            return self._encode(messages, self._changes)
        refusal: StudioError | None = None
        for changes in LADDER:
            try:
                found = self._encode(messages, changes)
            except StudioError as error:
                if error.code != "template":
                    raise
                refusal = refusal or error
            else:
                self._changes = changes
                return found
        assert refusal is not None
        raise refusal

    def _encode(self, messages: Messages, changes: Sequence[tuple[str, Change]]) -> tuple[list[int], str]:
        for _, change in changes:
            messages = change(messages)
        if self._going_on:
            return self._form.ids_going_on(messages, self._tokens), self._said[-1]["content"]
        return self._form.prompt(messages)


def _folded(messages: Messages) -> Messages:
    if not messages or messages[0]["role"] != "system":
        return messages
    system, rest = messages[0]["content"], messages[1:]
    if rest and rest[0]["role"] == "user":
        return [{"role": "user", "content": f"{system}\n\n{rest[0]['content']}"}, *rest[1:]]
    return [{"role": "user", "content": system}, *rest]


def _merged(messages: Messages) -> Messages:
    found: Messages = []
    for message in messages:
        if found and found[-1]["role"] == message["role"]:
            message = {**message, "content": f"{found.pop()['content']}\n\n{message['content']}"}
        found.append(message)
    return found


FOLDED = ("The template knows no system prompt: it was put before the first message.", _folded)
MERGED = ("The template wants the roles to alternate: neighbours of one role were put into one message.", _merged)

LADDER: tuple[Sequence[tuple[str, Change]], ...] = ((), (FOLDED,), (MERGED,), (FOLDED, MERGED))
"""What is tried in turn when a template refuses a conversation."""


def _check(said: Sequence[dict[str, str]], going_on: bool) -> None:
    if not said:
        raise StudioError("The conversation is empty", "There is nothing to answer.", "Write a message.", code="empty")
    if going_on and said[-1]["role"] != "assistant":
        raise StudioError(
            "There is no answer to continue",
            "The last message is not the model's.",
            "Continue without a prompt of your own, behind an answer.",
            code="no-answer",
        )
    if not going_on and said[-1]["role"] == "assistant":
        raise StudioError(
            "There is nothing to answer",
            "The last message is the model's own.",
            "Write a message, or let it continue its last one.",
            code="empty",
        )


def _too_long(found: Fit) -> StudioError:
    hint = "Let the oldest messages be dropped, begin a new conversation, or choose a model with a longer context."
    if not found.fits:
        hint = "Shorten the last message or the system prompt, or choose a model with a longer context."
    return StudioError("The conversation is too long for this model", found.words(), hint, code="too-long")
