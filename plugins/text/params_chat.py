"""What can be asked of text.chat, and how much memory it takes. Imports no torch."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from studio.sdk.operation import Estimate, ModelInfo
from studio.sdk.params import Density, Item, Params, Prompt, Ui

from . import params as base
from .context_budget import MESSAGE
from .params_format import FormatParams

ROLE_OF = {"developer": "system"}


class Message(Item):
    """One message of a conversation, as OpenAI's interface has them."""

    role: Literal["system", "user", "assistant"] = Field(default="user", description="Who says it.")
    content: Annotated[str, Ui(widget="text")] = Field(default="", description="What is said.")

    @model_validator(mode="before")
    @classmethod
    def _as_others_write_it(cls, values: Any) -> Any:
        """A content in parts becomes one text; entries that say nothing are left out."""
        if not isinstance(values, dict):
            return values
        found = {name: value for name, value in values.items() if value is not None}
        parts = found.get("content")
        if isinstance(parts, list):
            found["content"] = "\n".join(_text(part) for part in parts)
        found["role"] = ROLE_OF.get(str(found.get("role")), found.get("role", "user"))
        return found

    @field_validator("content")
    @classmethod
    def _no_nul(cls, content: str) -> str:
        if "\0" in content:
            raise ValueError(f"it holds a NUL character at position {content.index(chr(0))}, which is no text")
        return content


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    if not isinstance(text, str):
        raise ValueError("a part of the content is no text; pictures and files cannot be read here")
    return text


class Chat(FormatParams, base.ModelParams):
    """The next message of a conversation."""

    version: ClassVar[int] = 1
    migrations: ClassVar[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}

    prompt: Prompt = Field(default="", description="What you say; it is the last message of the conversation.")
    system: Annotated[str, Ui(group="Conversation", widget="text")] = Field(
        default="",
        title="System prompt",
        description="How the model is to behave, said before everything else; a conversation that is too long never "
        "loses it.",
    )
    messages: Annotated[list[Message], Ui(group="Conversation", density=Density.EXPERT)] = Field(
        default_factory=list, max_length=100_000, description="What was said before, oldest first."
    )
    continue_last: Annotated[bool, Ui(group="Conversation", density=Density.EXPERT)] = Field(
        default=False, description="Write on where the last answer ends, in place of a new answer."
    )
    continued_tokens: Annotated[str, Ui(group="Conversation", density=Density.EXPERT, widget="hidden")] = Field(
        default="",
        pattern=r"^(\d+( \d+)*)?$",
        description="The numbers of the tokens that the continued answer was written with, where they are known.",
    )
    overflow: Annotated[Literal["refuse", "drop-oldest"], Ui(group="Conversation", density=Density.EXPERT)] = Field(
        default="refuse",
        title="Too long",
        description="When the model cannot hold the conversation: refuse says so, drop-oldest leaves out the oldest "
        "questions with their answers.",
    )

    def system_prompt(self) -> str:
        """That of its own field, then those that the messages begin with."""
        texts = [self.system, *(m.content for m in self.messages[: self._first()])]
        return "\n\n".join(text for text in texts if text.strip())

    def said(self) -> list[dict[str, str]]:
        """The messages behind the system prompt, the prompt last, as templates take them."""
        found = [{"role": m.role, "content": m.content} for m in self.messages[self._first() :]]
        return found + [{"role": "user", "content": self.prompt}] * bool(self.prompt)

    def tokens_continued(self) -> list[int]:
        return [int(number) for number in self.continued_tokens.split()]

    def _first(self) -> int:
        return next((at for at, m in enumerate(self.messages) if m.role != "system"), len(self.messages))


def estimate(params: Chat, find: Callable[[str], ModelInfo | None]) -> Estimate:
    """As for raw completion, of everything that is said."""
    around = "x" * (2 * MESSAGE)
    texts = [params.system_prompt(), *(message["content"] for message in params.said())]
    return base.estimate(params.model_copy(update={"prompt": around.join(texts)}), find)


__all__ = ["Chat", "Message", "Params", "estimate"]
