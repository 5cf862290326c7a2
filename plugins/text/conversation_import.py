"""Reads conversations out of files: messages as OpenAI's interface has them, exported trees, our own, Markdown.

Owns `read`. A file is somebody else's: everything is bounded and checked, and what is wrong is said in words with
the place where it is. Nothing in it is run or fetched. Imports the standard library and this plugin's conversations.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.errors import StudioError

from .conversation import Conversation, new_id
from .conversation_export import FORMAT, HEAD, HEADS
from .conversation_node import ROLES

MOST_BYTES = 256 << 20
MOST_MESSAGES = 100_000
MOST_CHARACTERS = 4 << 20
ROLE_OF = {"developer": "system", "human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}


@dataclass(slots=True)
class Imported:
    """conversations: whole trees, not in any folder yet. notes: sentences about what was left out."""

    conversations: list[Conversation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(data: bytes, name: str = "The file") -> Imported:
    """The conversations in a file's bytes. Raises StudioError (code "import") when there is none in it."""
    if len(data) > MOST_BYTES:
        raise _wrong(name, f"It has {len(data) >> 20:,} MiB; {MOST_BYTES >> 20} are the limit.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(name, f"It is no UTF-8 text: byte {error.start:,} belongs to no character.") from None
    if "\0" in text:
        raise _wrong(name, f"It holds a NUL character at position {text.index(chr(0)):,}; it may be a binary file.")
    if text.lstrip()[:1] not in ("{", "["):
        return _Reader(name).markdown(text)
    return _Reader(name).values(_values(text, name))


def _values(text: str, name: str) -> list[Any]:
    """The file as JSON; where it is one object a line, all of them."""
    try:
        return [json.loads(text)]
    except RecursionError:
        raise _wrong(name, "It is nested too deeply.") from None
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        whole = error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if number == 1:
                raise _wrong(name, f"It is no valid JSON: {whole}.") from None
            raise _wrong(name, f"Line {number:,} is no valid JSON: {error}.") from None
    if all(isinstance(value, dict) and "role" in value for value in found):
        return [found]  # one message a line
    return found


class _Reader:
    """Reads one file."""

    def __init__(self, name: str):
        self._name = name
        self._found = Imported()
        self._messages = 0
        self._left_out: dict[str, int] = {}

    def values(self, values: list[Any]) -> Imported:
        for value in values:
            many = isinstance(value, list) and value and all(_is_conversation(one) for one in value)
            for number, one in enumerate(value if many else [value], 1):
                self._conversation(one, f"conversation {number:,}" if many else "the conversation")
        if not any(len(conversation) for conversation in self._found.conversations):
            raise self._wrong("There is no message in it.")
        for words, count in self._left_out.items():
            self._found.notes.append(f"{count:,} {words}")
        return self._found

    def markdown(self, text: str) -> Imported:
        """What `to_markdown` writes."""
        heads = [found for found in HEAD.finditer(text) if not found[1]]
        if not heads:
            raise self._wrong(f"It is no JSON, and there is no heading such as “{HEADS['user']}” in it.")
        conversation = Conversation()
        before = text[: heads[0].start()].strip()
        conversation.rename(before.removeprefix("# ").strip() if before.startswith("# ") else "")
        roles = {head: role for role, head in HEADS.items()}
        for head, following in zip(heads, [*heads[1:], None], strict=True):
            content = text[head.end() : following.start() if following else len(text)]
            content = content.removeprefix("\n").removeprefix("\n").removesuffix("\n")
            content = content.removesuffix("\n") if following else content
            self._add(conversation, roles[head[2]], HEAD.sub(lambda f: f[0][1:], content), conversation.leaf)
        return self._keep(conversation)

    def _conversation(self, value: Any, where: str) -> None:
        if isinstance(value, list):
            value = {"messages": value}
        if not isinstance(value, dict):
            raise self._wrong(f"{where.capitalize()} is {_kind(value)}, not a list of messages.")
        if value.get("format") == FORMAT:
            self._own(value, where)
        elif isinstance(value.get("mapping"), dict):
            self._mapping(value, where)
        else:
            self._list(value, where)

    def _own(self, value: dict[str, Any], where: str) -> None:
        events = value.get("events")
        if value.get("version") != 1 or not isinstance(events, list):
            raise self._wrong(f"{where.capitalize()} is of a version that is not known here.")
        conversation = Conversation()
        for number, event in enumerate(events, 1):
            self._count()
            try:
                conversation.apply(event)
            except ValueError as error:
                raise self._wrong(f"Entry {number:,} of {where} makes no sense: {error}.") from None
        self._keep(conversation)

    def _list(self, value: dict[str, Any], where: str) -> None:
        messages = value.get("messages", value.get("conversations", value.get("conversation")))
        if not isinstance(messages, list):
            raise self._wrong(f"{where.capitalize()} has no list of messages; its entries are {_names(value)}.")
        conversation = Conversation()
        if isinstance(title := value.get("title"), str):
            conversation.rename(title)
        for number, message in enumerate(messages, 1):
            place = f"message {number:,} of {where}"
            if not isinstance(message, dict):
                raise self._wrong(f"{place.capitalize()} is {_kind(message)}, not an object with role and content.")
            role = self._role(message.get("role", message.get("from")), place)
            content = self._text(message.get("content", message.get("value")), place)
            if role and content is not None:
                self._add(conversation, role, content, conversation.leaf)
        self._keep(conversation)

    # a tree: {"mapping": {id: {"message": …, "parent": …, "children": […]}}, "current_node": …} ----------------

    def _mapping(self, value: dict[str, Any], where: str) -> None:
        mapping: dict[str, Any] = value["mapping"]
        conversation = Conversation()
        if isinstance(title := value.get("title"), str):
            conversation.rename(title)
        if len(mapping) > MOST_MESSAGES:
            raise self._wrong(f"{where.capitalize()} has {len(mapping):,} entries; {MOST_MESSAGES:,} are the limit.")
        made: dict[str, str] = {}
        for id in self._ordered(mapping, where):
            entry = mapping[id]
            parent = made.get(str(entry.get("parent") or ""), "")
            made[id] = self._entry(conversation, entry.get("message"), parent, f"entry {id!r} of {where}") or parent
        current = made.get(str(value.get("current_node")), "")
        conversation.branch(current or conversation.tip(""))
        self._keep(conversation)

    def _ordered(self, mapping: dict[str, Any], where: str) -> Iterator[str]:
        """Parents before their children, in the order of the file. Raises StudioError for entries in a circle."""
        children: dict[str, list[str]] = {}
        for id, entry in mapping.items():
            if not isinstance(entry, dict):
                raise self._wrong(f"Entry {id!r} of {where} is {_kind(entry)}, not an object.")
            parent = entry.get("parent")
            parent = parent if isinstance(parent, str) and parent in mapping else ""
            children.setdefault(parent, []).append(id)
        waiting, seen = children.get("", [])[::-1], 0
        while waiting:
            id = waiting.pop()
            seen += 1
            yield id
            waiting += children.get(id, [])[::-1]
        if seen < len(mapping):
            raise self._wrong(f"{len(mapping) - seen:,} entries of {where} are each other's parents, in a circle.")

    def _entry(self, conversation: Conversation, message: Any, parent: str, where: str) -> str:
        """The id of the message that an entry became; "" for one that only holds others together."""
        if message is None:
            return ""
        if not isinstance(message, dict) or not isinstance(author := message.get("author"), dict):
            raise self._wrong(f"{where.capitalize()} has a message without an author.")
        role = self._role(author.get("role"), where)
        content = message.get("content")
        parts = content.get("parts", content.get("text", "")) if isinstance(content, dict) else content
        text = self._text(parts, where)
        if not role or text is None or (role == "system" and not text.strip()):
            return ""
        created = message.get("create_time")
        known = float(created) if isinstance(created, int | float) else 0.0
        return self._add(conversation, role, text, parent, created=known if math.isfinite(known) else 0.0)

    # one message ------------------------------------------------------------------------------------------------

    def _role(self, role: Any, where: str) -> str:
        """One of ROLES; "" for what is no message of a conversation (a tool's)."""
        if not isinstance(role, str):
            raise self._wrong(f"{where.capitalize()} has no role; it is {_kind(role)}.")
        role = ROLE_OF.get(role, role)
        if role not in ROLES:
            self._leave_out(f"messages of the role {role[:40]!r} were left out.")
            return ""
        return role

    def _text(self, content: Any, where: str) -> str | None:
        """The text of a content; parts that are no text are left out. None where there is nothing (a tool's call)."""
        if content is None:
            self._leave_out("messages without any content were left out.")
            return None
        parts = content if isinstance(content, list) else [content]
        texts = []
        for part in parts:
            if isinstance(part, dict):
                part = part.get("text") if part.get("type", "text") == "text" else None
            if isinstance(part, str):
                texts.append(part)
            elif part is None or isinstance(content, list):
                self._leave_out("parts of messages that are no text (pictures, files) were left out.")
            else:
                raise self._wrong(f"The content of {where} is {_kind(part)}, not a text.")
        text = "\n".join(texts)
        if len(text) > MOST_CHARACTERS:
            raise self._wrong(f"{where.capitalize()} has {len(text):,} characters; {MOST_CHARACTERS:,} are the limit.")
        return text

    def _add(self, conversation: Conversation, role: str, content: str, parent: str, **more: Any) -> str:
        self._count()
        node = {"id": new_id(), "parent": parent, "role": role, "content": content, **more}
        conversation.apply({"op": "add", "node": node})
        return node["id"]

    def _count(self) -> None:
        self._messages += 1
        if self._messages > MOST_MESSAGES:
            raise self._wrong(f"It has more than {MOST_MESSAGES:,} messages.")

    def _keep(self, conversation: Conversation) -> Imported:
        if len(conversation):
            self._found.conversations.append(conversation)
        return self._found

    def _leave_out(self, words: str) -> None:
        self._left_out[words] = self._left_out.get(words, 0) + 1

    def _wrong(self, detail: str) -> StudioError:
        return _wrong(self._name, detail)


def _wrong(name: str, detail: str) -> StudioError:
    return StudioError(
        f"{name} holds no conversation that can be read",
        detail,
        "Known are lists of messages with role and content (OpenAI), exported conversations with a mapping (ChatGPT), "
        "and the Markdown and JSON of this application.",
        code="import",
    )


def _is_conversation(value: Any) -> bool:
    return isinstance(value, dict) and "role" not in value and "from" not in value


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")


def _names(value: dict[str, Any]) -> str:
    return ", ".join(repr(str(name)[:30]) for name in list(value)[:6]) or "none"
