"""Chat templates: which one a conversation is written in, and the token ids it makes of the messages.

Owns Template, PLAIN (the format of a model that has none) and Format, which joins a template to a tokenizer. The
template is rendered in a child (`renderer.py`) and its text is encoded so that control tokens are the template's own
and nobody else's (`control_tokens.py`). Imports no torch.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from studio.errors import StudioError

from .control_tokens import START, Controls, unmarked
from .renderer import Renderer

PLAIN = """\
{%- for message in messages -%}
{%- if message.role == 'system' -%}{{ message.content }}
{%- elif message.role == 'user' -%}User: {{ message.content }}
{%- else -%}Assistant: {{ message.content }}{%- endif -%}
{{- '\\n\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}Assistant:{%- endif -%}
"""
PLAIN_STOPS = ("\nUser:",)
PROBE = "a short answer"
OPENED = re.compile(r"<(?:think|thinking|thought|reasoning)>\s*$")
WORDS = {
    "model": "The model's own chat template.",
    "settings": "The chat template of the settings, in place of the model's own.",
    "plain": "The plain format: the system prompt, then “User:” and “Assistant:” before each message, an empty line "
    "between them. The model was not taught it as a conversation, so it may go on in any way.",
}


@dataclass(frozen=True, slots=True)
class Template:
    """source: "model", "settings" or "plain"; WORDS says what that means."""

    text: str
    source: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end an answer because no control token can."""
        return PLAIN_STOPS if self.source == "plain" else ()

    def facts(self) -> dict[str, Any]:
        """For the recipe. A template that writes the date makes another prompt on another day."""
        dated = {"template_date": date.today().isoformat()} if "strftime_now" in self.text else {}
        return {"template": self.source, "template_sha256": self.sha256, **dated}


def template_of(tokenizer: Any, chosen: str = "") -> Template:
    """`chosen` (Jinja text, or the word "plain"), else the model's own, else the plain format."""
    if chosen.strip() == "plain":
        return Template(PLAIN, "plain")
    if chosen.strip():
        return Template(chosen, "settings")
    own = tokenizer.chat_template
    if isinstance(own, dict):
        own = own.get("default") or next((own[name] for name in sorted(own)), None)
    return Template(own, "model") if own else Template(PLAIN, "plain")


class Format:
    """A template on a tokenizer. thinking: what a template that asks about it is told (`enable_thinking`)."""

    def __init__(self, tokenizer: Any, template: Template, renderer: Renderer, thinking: bool | None = None):
        self.template = template
        self._tokenizer, self._renderer = tokenizer, renderer
        self._controls = Controls(tokenizer)
        self._tags = self._controls.own_tags(template.text)
        self._ends: list[int] | None = None
        self._variables: dict[str, Any] = {
            name: text for name, text in tokenizer.special_tokens_map.items() if isinstance(text, str)
        }
        if thinking is not None:
            self._variables["enable_thinking"] = thinking

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> tuple[list[int], str]:
        """The prompt that asks for an answer to these messages, and what of the answer it holds already.

        That is a tag with which some templates make a model begin: <think>. Raises StudioError (renderer's codes).
        """
        rendered = self._render(messages, going_on=False)
        opened = OPENED.search(rendered)
        return self._encode(rendered), opened[0] if opened else ""

    def ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The prompt's ids alone."""
        return self.prompt(messages)[0]

    def ids_going_on(self, messages: Sequence[Mapping[str, str]], tokens: Sequence[int] = ()) -> list[int]:
        """The prompt whose end is the last message, left open.

        tokens: those that the model wrote this message with, where they are known; they are taken as they are when
        they say exactly this text, since other tokens of the same text would lead it elsewhere.
        """
        rendered = self._render(messages, going_on=True)
        content = self._marked(messages[-1])
        if not rendered.endswith(content):
            # Spaces at the end of a message are trimmed by many templates; here the answer goes on behind them.
            bare = content.rstrip()
            if not bare or not rendered.endswith(bare):
                return self._encode(rendered)
            rendered += content[len(bare) :]
        if tokens and self._say(tokens, messages[-1]["content"]):
            return self._encode(rendered.removesuffix(content)) + list(tokens)
        return self._encode(rendered)

    def ends(self) -> list[int]:
        """The control token that the template puts behind an answer: with it the model says that it has done."""
        if self._ends is None:
            probe = [{"role": "user", "content": PROBE}, {"role": "assistant", "content": PROBE}]
            try:
                rendered = self._renderer.render(self.template.text, probe, variables=self._variables)
            except StudioError:
                rendered = ""  # it takes no such conversation, which is said when it is really asked
            _, found, behind = rendered.rpartition(PROBE)
            self._ends = self._controls.first(behind) if found else []
        return self._ends

    def _render(self, messages: Sequence[Mapping[str, str]], going_on: bool) -> str:
        marked = [{"role": message["role"], "content": self._marked(message)} for message in messages]
        return self._renderer.render(self.template.text, marked, going_on=going_on, variables=self._variables)

    def _marked(self, message: Mapping[str, str]) -> str:
        allowed = self._tags if message["role"] == "assistant" else frozenset[str]()
        return self._controls.mark(message["content"], allowed)

    def _encode(self, rendered: str) -> list[int]:
        ids = self._controls.encode(rendered)
        return [*self._beginning(), *ids] if self.template.source == "plain" else ids

    def _beginning(self) -> list[int]:
        """What the tokenizer puts before a text by itself, which a template writes and the plain format does not."""
        with_special = list(self._tokenizer("a")["input_ids"])
        bare = list(self._tokenizer("a", add_special_tokens=False)["input_ids"])
        at = next((i for i in range(len(with_special)) if with_special[i : i + len(bare)] == bare), 0)
        return with_special[:at]

    def _say(self, tokens: Sequence[int], content: str) -> bool:
        if any(id in self._controls.special for id in tokens):
            return False
        text = self._tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False)
        return text == content and START not in content


def shown(template: Template, messages: Sequence[Mapping[str, str]], renderer: Renderer) -> str:
    """What the template makes of the messages, to be read by a person."""
    if not messages:
        raise StudioError("There is no conversation", "No message was given.", "Write one.", code="empty")
    return unmarked(renderer.render(template.text, messages, variables={}))
