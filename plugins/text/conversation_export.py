"""A conversation as files that others read: Markdown, a list of messages as OpenAI's interface has it, a whole tree.

Imports the standard library and this plugin's conversations; `conversation_import.py` reads all of them back.
"""

import json
import re
from typing import Any

from .conversation import Conversation

FORMAT = "atelier-conversation"
HEADS = {"system": "### System", "user": "### You", "assistant": "### Assistant"}
HEAD = re.compile(rf"^(\\*)({'|'.join(map(re.escape, HEADS.values()))})[ \t]*$", re.MULTILINE)


def to_markdown(conversation: Conversation, id: str | None = None) -> str:
    """The path to `id` (to where the person is): the title, then each message under a heading of its own.

    A line of a message that looks like such a heading gets a backslash before it, which reading takes off again.
    """
    parts = [f"# {conversation.title}\n"] if conversation.title else []
    for message in _sent(conversation, id):
        content = HEAD.sub(r"\\\g<0>", message["content"])
        parts.append(f"{HEADS[message['role']]}\n\n{content}\n")
    return "\n".join(parts)


def to_messages(conversation: Conversation, id: str | None = None) -> str:
    """The path as JSON: {"messages": [{"role": …, "content": …}, …]}."""
    return json.dumps({"messages": _sent(conversation, id)}, ensure_ascii=False, indent=2) + "\n"


def to_tree(conversation: Conversation) -> str:
    """Everything, deleted messages and all versions included, as JSON."""
    whole: dict[str, Any] = {"format": FORMAT, "version": 1, "events": list(conversation.events())}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _sent(conversation: Conversation, id: str | None) -> list[dict[str, str]]:
    """The path's messages, the conversation's system prompt first."""
    system = str(conversation.settings.get("system") or "")
    return [{"role": "system", "content": system}] * bool(system) + conversation.messages(id)
