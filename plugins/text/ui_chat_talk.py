"""A conversation that is going on: what is said, which job writes which answer, and what has come of it so far.

Owns Talk. The conversation on disk is the truth; what streams is kept beside it until the answer is on disk.
"""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.kit.panel import EventLike
from studio.kit.results import JobResult, rate_words, state_words
from studio.kit.session import Session

from .conversation import Conversation
from .conversation_node import Node
from .conversation_store import ConversationStore

OPERATION = "text.chat"
UNSENT = ("prompt", "messages", "continue_last", "continued_tokens", "count")
KEPT_FACTS = (
    "tokens", "tokens_per_second", "stop_reason", "prompt_tokens", "reused_tokens", "seed", "dropped_messages",
    "adapted",
)  # fmt: skip


class Writing(JobResult):
    """An answer that is being written."""

    stream: str = ""

    def begun_anew(self) -> None:
        self.stream = ""

    def take_live(self, live: dict[str, Any] | None) -> None:
        super().take_live(live)
        if live:
            self.stream = str(live.get("stream") or "")


class Talk(QObject):
    """changed: which messages are shown is another. touched(id): one message is. said(words): of the disk."""

    changed = Signal()
    touched = Signal(str)
    said = Signal(str)

    def __init__(self, session: Session, origin: str, store: ConversationStore, settings: Callable[[], dict[str, Any]]):
        super().__init__()
        self._session, self._origin, self._store, self._settings = session, origin, store, settings
        self.conversation: Conversation | None = None
        self.writing: dict[str, Writing] = {}
        self._node_of: dict[str, str] = {}

    # conversations ---------------------------------------------------------------------------

    def open(self, id: str) -> None:
        """Another conversation; answers that were being written when its window closed are taken up again."""
        conversation, notes = self._store.open(id)
        self.conversation = conversation
        for note in notes:
            self.said.emit(note)
        self.changed.emit()
        for node in list(conversation):
            if node.job and not node.artifact and not node.facts:
                self._session.spawn(self._take_up(node))

    def begin(self) -> Conversation:
        """The conversation on show, a new one where there is none."""
        if self.conversation is None:
            self.conversation = self._store.create()
        return self.conversation

    def close(self) -> None:
        self.conversation = None
        self.changed.emit()

    # saying ----------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Adds what the person says and has it answered; without words, the last message is answered."""
        talk = self.begin()
        if text.strip():
            talk.add("user", text)
        elif not talk.leaf or talk.node(talk.leaf).role != "user":
            return
        self._answer(talk.add("assistant", ""))

    def retry(self, id: str) -> None:
        self._answer(self.begin().retry(id))

    def edit(self, id: str, text: str) -> None:
        """Another version; one of the person's own is answered anew."""
        node = self.begin().edit(id, text)
        if node.role == "user":
            self._answer(self.begin().add("assistant", ""))
        self.changed.emit()

    def go_on(self, id: str, kept: int | None = None) -> None:
        """Another version of an answer with its first `kept` characters, all when None, written on from there."""
        talk = self.begin()
        node = talk.node(id)
        self._answer(talk.branch_at(id, len(node.content) if kept is None else kept))

    def stop(self) -> bool:
        """Stops what is written on the way to where the person is."""
        path = {node.id for node in self.conversation.path()} if self.conversation else set()
        for id, writing in self.writing.items():
            if id in path and not writing.ended:
                self._session.spawn(self._session.call("cancel", job=writing.id))
                return True
        return False

    @property
    def busy(self) -> bool:
        return any(not writing.ended for writing in self.writing.values())

    def _answer(self, node: Node) -> None:
        talk = self.begin()
        values = {name: value for name, value in self._settings().items() if name not in UNSENT}
        before = [{"role": n.role, "content": n.content} for n in talk.path(node.id) if n.id != node.id or n.content]
        values |= {"messages": before, "continue_last": bool(node.content)}
        self.changed.emit()
        self._session.spawn(self._submit(talk, node, values))

    async def _submit(self, talk: Conversation, node: Node, values: dict[str, Any]) -> None:
        title = next((n.content for n in reversed(talk.path(node.id)) if n.role == "user"), "Chat")
        try:
            job = await self._session.submit(
                OPERATION, values, title=" ".join(title[:400].split())[:60], origin=self._origin
            )
            known = await self._session.call("job", job=job)
        except StudioError as error:
            talk.change(node.id, facts={"error": error.to_dict()})
            self.touched.emit(node.id)
            return
        talk.change(node.id, job=job, settings={"seed": known["params"].get("seed")})
        self._watch(node.id, known)

    # hearing ---------------------------------------------------------------------------------

    def on_event(self, event: EventLike) -> None:
        id = self._node_of.get(event.job, "")
        writing = self.writing.get(id)
        if writing is None:
            return
        if event.kind == "job":
            writing.update(event.data)
            if writing.ended:
                self._session.spawn(self._ended(id, writing))
        elif event.kind == "progress":
            writing.progress = dict(event.data)
        elif event.kind == "stream":
            at, have = int(event.data["at"]), len(writing.stream)
            if at > have:
                self._session.spawn(self._catch_up(id, writing))
            else:
                writing.stream += str(event.data["text"])[have - at :]
        self.touched.emit(id)

    async def _catch_up(self, id: str, writing: Writing) -> None:
        writing.take_live((await self._session.call("job", job=writing.id)).get("live"))
        self.touched.emit(id)

    async def _take_up(self, node: Node) -> None:
        """An answer whose end this window has not seen."""
        try:
            job = await self._session.call("job", job=node.job)
        except StudioError:
            return  # forgotten by the queue: what was kept of it stays
        self._watch(node.id, job)
        if self.writing[node.id].ended:
            await self._ended(node.id, self.writing[node.id])

    def _watch(self, id: str, job: dict[str, Any]) -> None:
        writing = self.writing[id] = Writing(str(job["id"]), dict(job["params"]))
        writing.update(job)
        self._node_of[writing.id] = id
        self.changed.emit()

    async def _ended(self, id: str, writing: Writing) -> None:
        """The answer is taken from its file; where there is none, from what was streamed."""
        talk = self.conversation
        if talk is None or id not in talk:
            return
        text = writing.stream
        artifact = next((str(a["id"]) for a in writing.artifacts), "")
        if artifact:
            try:
                text = str((await self._session.call("library.get", id=artifact)).get("text") or text)
            except StudioError:
                pass  # gone already: what was streamed is kept
        facts = {name: writing.facts[name] for name in KEPT_FACTS if name in writing.facts}
        if writing.state == "failed" and writing.error:
            facts["error"] = writing.error
        elif writing.state == "cancelled":
            facts["stop_reason"] = "cancelled"
        values: dict[str, Any] = {"artifact": artifact, "facts": facts, "model": str(writing.params.get("model") or "")}
        if text or not talk.node(id).content:
            values["content"] = text or talk.node(id).content
        if talk is self.conversation and id in talk:
            talk.change(id, **values)
            self.writing.pop(id, None)
            self._node_of.pop(writing.id, None)
            self.changed.emit()

    # telling ---------------------------------------------------------------------------------

    def state(self, node: Node) -> tuple[str, str, bool]:
        """What streams, what is going on in words, and whether it is being written."""
        writing = self.writing.get(node.id)
        if writing is None or writing.ended:
            return node.content, ended_words(node), False
        done, rate = writing.progress.get("done"), rate_words(writing.progress.get("rate"), "tokens")
        count = f"{done:,} tokens" if isinstance(done, int) and done and not writing.progress.get("stage") else ""
        words = state_words(writing, " · ".join(part for part in (count, rate) if part)) or ""
        return writing.stream or node.content, words, True


def ended_words(node: Node) -> str:
    """How an answer ended, in one line."""
    facts = node.facts
    parts = []
    if facts.get("stop_reason") == "cancelled":
        parts.append("Stopped")
    elif facts.get("stop_reason") == "length":
        parts.append("Token limit reached")
    if isinstance(facts.get("tokens"), int):
        parts.append(f"{facts['tokens']:,} tokens")
    if facts.get("tokens_per_second"):
        parts.append(f"{facts['tokens_per_second']:g} tokens/s")
    if facts.get("prompt_tokens") and facts.get("reused_tokens"):
        parts.append(f"reused {facts['reused_tokens']:,} of {facts['prompt_tokens']:,}")
    if facts.get("dropped_messages"):
        parts.append(f"{facts['dropped_messages']:,} oldest messages left out")
    return " · ".join(parts)
