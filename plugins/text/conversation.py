"""A conversation as a tree: every edit, retry and branch is a sibling, so nothing that was written is ever replaced.

Owns Conversation. Each change is an event, a small dictionary that `apply` understands and that
`conversation_store.py` appends to a file; the same events in the same order make the same tree. Imports the
standard library and errors only: no Qt, no torch, no disk.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from studio.errors import StudioError

from .conversation_node import CHANGEABLE, Node, checked, compact, read_node

TITLE = 120
Event = dict[str, Any]
Sink = Callable[[Event], None]


class Conversation:
    """The tree and where in it the person is. `leaf`: the message that is answered next, "" before the first.

    sink is given every event after it took effect; a sink that raises (a full disk) leaves the change in place.
    """

    def __init__(self, id: str = "", sink: Sink | None = None, clock: Callable[[], float] = time.time):
        self.id = id or new_id()
        self.sink = sink
        self.named = ""
        self.settings: dict[str, Any] = {}
        self.leaf = ""
        self._clock = clock
        self._nodes: dict[str, Node] = {}
        self._children: dict[str, list[str]] = {"": []}
        self._last: dict[str, str] = {}
        self._deleted: dict[str, None] = {}

    # looking ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many messages there are, deleted ones too."""
        return len(self._nodes)

    def __contains__(self, id: str) -> bool:
        return id in self._nodes

    def __iter__(self) -> Iterator[Node]:
        """All messages, each behind the one it answers; deleted ones too."""
        return iter(self._nodes.values())

    def node(self, id: str) -> Node:
        """Raises StudioError for one that is not there."""
        if id not in self._nodes:
            raise StudioError("There is no such message in this conversation", id, code="no-message")
        return self._nodes[id]

    @property
    def title(self) -> str:
        """The name it was given, else how the first message of the user begins."""
        if self.named:
            return self.named
        texts = (node.content for node in self._nodes.values() if node.role == "user" and node.content.strip())
        line = " ".join(next(texts, "").split()[:12])
        return line if len(line) <= 60 else line[:59].rstrip() + "…"

    def path(self, id: str | None = None) -> list[Node]:
        """The messages from the first to `id`, to where the person is when None."""
        at, found = self.leaf if id is None else id, []
        while at:
            node = self.node(at)
            found.append(node)
            at = node.parent
        return found[::-1]

    def messages(self, id: str | None = None) -> list[dict[str, str]]:
        """The path as text.chat takes it."""
        return [{"role": node.role, "content": node.content} for node in self.path(id)]

    def children(self, id: str) -> list[Node]:
        """The answers to a message, oldest first, deleted ones left out; of "" the first messages."""
        return [self._nodes[child] for child in self._children.get(id, ()) if child not in self._deleted]

    def siblings(self, id: str) -> list[Node]:
        """All versions of a message, itself among them."""
        return self.children(self.node(id).parent)

    def deleted(self) -> list[Node]:
        """What can be restored: the heads of deleted subtrees, the newest deletion last."""
        return [self._nodes[id] for id in self._deleted]

    def tip(self, id: str) -> str:
        """Where one was last below a message: the end of the branch that one sees when it is chosen."""
        while below := self.children(id):
            last = self._last.get(id, "")
            id = last if any(node.id == last for node in below) else below[-1].id
        return id

    # changing --------------------------------------------------------------------------------

    def add(self, role: str, content: str, parent: str | None = None, **more: Any) -> Node:
        """A new message behind `parent` (where the person is, when None), where the person is from now on.

        more: further fields of Node. An answer that is still being written is added empty and filled by `change`.
        """
        node = {"id": new_id(), "parent": self.leaf if parent is None else parent, "role": role, "content": content}
        self._do({"op": "add", "node": {**node, "created": self._clock(), **more}})
        return self._nodes[node["id"]]

    def edit(self, id: str, content: str, **more: Any) -> Node:
        """Another version of a message, beside it; what followed the old one stays there."""
        old = self.node(id)
        kept = {"model": old.model, "settings": old.settings} if old.role == "assistant" else {}
        return self.add(old.role, content, old.parent, **{**kept, "source": id, **more})

    def retry(self, id: str, **more: Any) -> Node:
        """An empty answer beside an answer, or behind a message of the user, to be filled."""
        old = self.node(id)
        if old.role == "user":
            return self.add("assistant", "", id, **more)
        return self.add("assistant", "", old.parent, **{"source": id, **more})

    def branch(self, id: str) -> None:
        """Goes to any message: what is added next answers it, beside what is there."""
        if id:
            self.node(id)
        if id != self.leaf:
            self._do({"op": "go", "id": id})

    def branch_at(self, id: str, kept: int, **more: Any) -> Node:
        """Another version of an answer that has its first `kept` characters, to be continued from there."""
        old = self.node(id)
        if not 0 <= kept <= len(old.content):
            raise StudioError(
                "The answer cannot be cut there", f"It has {len(old.content)} characters, not {kept}.", code="no-place"
            )
        return self.add(old.role, old.content[:kept], old.parent, **{"source": id, "kept": kept, **more})

    def switch(self, id: str, step: int = 0) -> Node:
        """Goes to the end of another version: to `id`'s own when step is 0, else so many siblings on, in a circle."""
        versions = self.siblings(id)
        at = next((i for i, node in enumerate(versions) if node.id == id), 0)
        chosen = versions[(at + step) % len(versions)] if versions else self.node(id)
        self.branch(self.tip(chosen.id))
        return chosen

    def change(self, id: str, **values: Any) -> Node:
        """Fills in what was not known when a message was added: its text, artifact, facts; or its rating."""
        node = self.node(id)
        if wrong := values.keys() - CHANGEABLE.keys():
            raise ValueError(f"a message's {', '.join(sorted(wrong))} never changes")
        new = {name: value for name, value in values.items() if getattr(node, name) != value}
        if new:
            self._do({"op": "change", "id": id, "values": new})
        return self._nodes[id]

    def delete(self, id: str) -> None:
        """Takes a message and all that follows it away; `restore` brings both back."""
        self.node(id)
        if id not in self._deleted:
            self._do({"op": "delete", "id": id})

    def restore(self, id: str) -> None:
        """Brings a deleted message back, with what it answers and what followed it, and goes there."""
        if any(node.id in self._deleted for node in self.path(id)):
            self._do({"op": "restore", "id": id})

    def rename(self, title: str) -> None:
        """An empty title is the beginning of the first message again."""
        title = " ".join(title.split())[:TITLE]
        if title != self.named:
            self._do({"op": "title", "title": title})

    def configure(self, **settings: Any) -> None:
        """What belongs to the conversation as a whole: system prompt, persona, model. None takes an entry away."""
        new = {key: value for key, value in settings.items() if self.settings.get(key) != value}
        if new:
            self._do({"op": "settings", "settings": new})

    # events ----------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """The fewest events that make this tree, deleted messages included."""
        if self.named:
            yield {"op": "title", "title": self.named}
        if self.settings:
            yield {"op": "settings", "settings": self.settings}
        for node in self._nodes.values():
            yield {"op": "add", "node": compact(node)}
        for id in self._deleted:
            yield {"op": "delete", "id": id}
        yield {"op": "go", "id": self.leaf}
        yield {"op": "seen", "last": {p: c for p, c in self._last.items() if len(self._children[p]) > 1}}

    def apply(self, event: Event) -> None:
        """Makes a change that was made before. Raises ValueError for what is no event of this tree."""
        match event:
            case {"op": "add", "node": dict(values)}:
                self._add(read_node(values))
            case {"op": "go", "id": str(id)} if id == "" or id in self._nodes:
                self._go(id)
            case {"op": "change", "id": str(id), "values": dict(values)} if id in self._nodes:
                self._nodes[id] = replace(self._nodes[id], **checked(values, CHANGEABLE))
            case {"op": "delete", "id": str(id)} if id in self._nodes:
                self._delete(id)
            case {"op": "restore", "id": str(id)} if id in self._nodes:
                self._restore(id)
            case {"op": "seen", "last": dict(last)}:
                self._last.update({p: c for p, c in last.items() if c in self._children.get(p, ())})
            case {"op": "title", "title": str(title)}:
                self.named = title[:TITLE]
            case {"op": "settings", "settings": dict(settings)}:
                merged = {**self.settings, **settings}
                self.settings = {key: value for key, value in merged.items() if value is not None}
            case _:
                raise ValueError("no event of this conversation")

    def _do(self, event: Event) -> None:
        try:
            self.apply(event)
        except ValueError as error:
            raise StudioError("The conversation cannot be changed like this", str(error), code="conversation") from None
        if self.sink is not None:
            self.sink(event)

    def _add(self, node: Node) -> None:
        if node.id in self._nodes or (node.parent and node.parent not in self._nodes):
            raise ValueError("a message is there already, or what it answers is not")
        self._nodes[node.id] = node
        self._children[node.id] = []
        self._children[node.parent].append(node.id)
        if node.parent == self.leaf:  # the way to it is remembered already
            self._last[node.parent] = node.id
            self.leaf = node.id
        else:
            self._go(node.id)

    def _go(self, id: str) -> None:
        self.leaf = id
        while id:
            parent = self._nodes[id].parent
            self._last[parent] = id
            id = parent

    def _delete(self, id: str) -> None:
        """The person stays where they are, or goes to the end of a version beside what went."""
        self._deleted[id] = None
        if id not in {node.id for node in self.path()}:
            return
        parent = self._nodes[id].parent
        order = self._children[parent]
        left = [child for child in order if child not in self._deleted]
        if left:
            at = order.index(id)
            before = [child for child in order[:at] if child not in self._deleted]
            self._go(self.tip(before[-1] if before else left[0]))
        else:
            self._go(parent)

    def _restore(self, id: str) -> None:
        for node in self.path(id):
            self._deleted.pop(node.id, None)
        self._go(self.tip(id))


def new_id() -> str:
    return secrets.token_hex(6)
