"""The person's conversations: `<data>/conversations/<id>.jsonl`, a list of them, and a trash.

Owns ConversationStore. The files are the truth; `index.json` only saves reading all of them for the list. Imports
the standard library, errors, the library's files and this plugin's conversations.
"""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library import atomic

from .conversation import Conversation, new_id
from .conversation_log import EventLog, Lines

SUPERFLUOUS = 400
"""Lines more than needed, and more than half of the file, before it is written anew."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One conversation of the list. Times in seconds since 1970. problem: why it cannot be opened, in words."""

    id: str
    title: str = ""
    created: float = 0.0
    changed: float = 0.0
    messages: int = 0
    problem: str = ""


class ConversationStore:
    """The folder `<data>/conversations`; it is made when the first conversation is."""

    def __init__(self, data: Path, clock: Callable[[], float] = time.time):
        self.folder = data / "conversations"
        self._clock = clock

    def create(self, **settings: Any) -> Conversation:
        """A new, empty one, on disk. settings: see Conversation.configure."""
        id = f"{time.strftime('%Y%m%d', time.gmtime(self._clock()))}-{new_id()}"
        with atomic.explained(self.folder / id, None):
            self.folder.mkdir(parents=True, exist_ok=True)
        log = EventLog(self.path(id))
        log.create({"id": id, "created": self._clock()})
        conversation = Conversation(id, log.append, self._clock)
        if settings:
            conversation.configure(**settings)
        return conversation

    def open(self, id: str) -> tuple[Conversation, list[str]]:
        """The conversation, and sentences about what could not be read. Raises StudioError when it is gone."""
        log = EventLog(self.path(id))
        lines = log.read()
        conversation, skipped = _replayed(id, lines, self._clock)
        conversation.sink = log.append
        if not skipped and not lines.unreadable:
            self._tidy(conversation, log, lines)
        return conversation, _notes(skipped + lines.unreadable, lines.torn)

    def keep(self, conversation: Conversation) -> Conversation:
        """Puts one that was made elsewhere (an import) into the folder, at once and whole, under a new id."""
        kept = self.create()
        log = EventLog(self.path(kept.id))
        lines = log.read()
        if not log.rewrite(lines.header, conversation.events(), lines.size):
            raise StudioError("The conversation was changed while it was kept", kept.id, code="conversation")
        return self.open(kept.id)[0]

    def compact(self, id: str) -> bool:
        """Writes the file anew with the fewest lines, deleted messages included; not one that is damaged."""
        log = EventLog(self.path(id))
        lines = log.read()
        conversation, skipped = _replayed(id, lines, self._clock)
        return not (skipped or lines.unreadable) and self._rewrite(conversation, log, lines)

    def delete(self, id: str) -> None:
        """Into the trash; `restore` brings it back."""
        with atomic.explained(self.path(id), None):
            atomic.make_folder(self.folder / ".trash")
            atomic.move_once(self.path(id), self.folder / ".trash" / f"{id}.jsonl")

    def restore(self, id: str) -> None:
        with atomic.explained(self.path(id), None):
            atomic.move_once(self.folder / ".trash" / f"{id}.jsonl", self.path(id))

    def path(self, id: str) -> Path:
        """Raises StudioError for what is no id."""
        if not id or not all(character.isalnum() or character in "-_" for character in id):
            raise StudioError("There is no such conversation", repr(id), code="no-conversation")
        return self.folder / f"{id}.jsonl"

    # the list --------------------------------------------------------------------------------

    def list(self) -> "list[Summary]":
        """All conversations, the one that was changed last first."""
        known = self._index()
        found: dict[str, tuple[list[int], Summary]] = {}
        for path in self.folder.glob("*.jsonl") if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                status = path.stat()
                stamp = [status.st_size, status.st_mtime_ns]
                old = known.get(path.stem)
                found[path.stem] = old if old and old[0] == stamp else (stamp, self._summary(path))
        if found != known:
            self._write_index(found)
        return sorted((summary for _, summary in found.values()), key=lambda s: s.changed, reverse=True)

    def _summary(self, path: Path) -> Summary:
        try:
            lines = EventLog(path).read()
        except StudioError as error:
            return Summary(path.stem, problem=f"{error.title}. {error.detail}", changed=path.stat().st_mtime)
        conversation, _ = _replayed(path.stem, lines, self._clock)
        times = [t for t in (event.get("t") for event in lines.events) if isinstance(t, int | float)]
        created = lines.header.get("created")
        created = float(created) if isinstance(created, int | float) else path.stat().st_mtime
        return Summary(
            path.stem, conversation.title, created, float(times[-1]) if times else created, len(conversation)
        )

    def _index(self) -> dict[str, tuple["list[int]", Summary]]:
        names = {field.name for field in fields(Summary)}
        try:
            raw = json.loads((self.folder / "index.json").read_bytes())
            return {
                id: (list(stamp), Summary(**{name: values[name] for name in names}))
                for id, (stamp, values) in raw.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def _write_index(self, found: dict[str, tuple["list[int]", Summary]]) -> None:
        data = {id: [stamp, asdict(summary)] for id, (stamp, summary) in found.items()}
        with contextlib.suppress(StudioError, OSError):  # it only saves time
            atomic.write_file(self.folder / "index.json", json.dumps(data).encode())

    # tidying ---------------------------------------------------------------------------------

    def _tidy(self, conversation: Conversation, log: EventLog, lines: Lines) -> None:
        superfluous = len(lines.events) - len(conversation)
        if superfluous > SUPERFLUOUS and superfluous > len(conversation):
            with contextlib.suppress(StudioError):  # a full disk keeps nobody from reading
                self._rewrite(conversation, log, lines)

    @staticmethod
    def _rewrite(conversation: Conversation, log: EventLog, lines: Lines) -> bool:
        changed = next((event["t"] for event in reversed(lines.events) if "t" in event), None)
        events = list(conversation.events())
        if changed is not None:
            events[-1] = {"t": changed, **events[-1]}
        return log.rewrite(lines.header, events, lines.size)


def _replayed(id: str, lines: Lines, clock: Callable[[], float]) -> tuple[Conversation, int]:
    """The conversation that these lines tell, and how many of them made no sense in it."""
    conversation, skipped = Conversation(id, clock=clock), 0
    for event in lines.events:
        try:
            conversation.apply(event)
        except ValueError:
            skipped += 1
    return conversation, skipped


def _notes(unreadable: int, torn: bool) -> list[str]:
    if not unreadable:
        return []
    if torn and unreadable == 1:
        return ["The last change was cut off while it was written and is not there; everything before it is."]
    lines = "1 line of its file" if unreadable == 1 else f"{unreadable:,} lines of its file"
    return [f"{lines} could not be read and {'is' if unreadable == 1 else 'are'} passed over; nothing was removed."]
