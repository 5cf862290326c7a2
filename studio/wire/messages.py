"""What engine and worker, and engine and client, say to each other. Plain dataclasses; no behaviour.

Engine to worker: Run, Cancel, Pause, Resume, Steer, Prioritise, Prewarm, Unload, Shutdown.
Worker to engine: Hello, Running, Progress, Stream, Preview, Saved, Baton, Done, Failed, Cancelled, Paused,
Resumed, Memory.
Client to engine: Request. Engine to client: Reply, Event.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class Message:
    """Base of all messages; `frames` never enters the JSON head."""

    frames: list[bytes]


@dataclass(slots=True)
class Run(Message):
    """Run a job. `folder`: where artifacts go. `receipt`: file written once when the job is complete.
    data: the data folder, in which inputs and steps lie. device: whether it waits for the device.

    backend: {"folder": plugin folder, "package": its package, "target": "module:Class", "needs": [[package, folder] of
    the plugins it imports from]}; params likewise.
    recipe: the recipe without what only the worker knows. models: ref -> ModelInfo as a dictionary.
    """

    job: str
    operation: str
    params: Json
    params_target: Json
    backend: Json
    folder: str
    receipt: str
    recipe: Json
    models: Json = field(default_factory=dict)
    rank: int = 0
    attempt: int = 1
    data: str = ""
    device: bool = True
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Cancel(Message):
    job: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Pause(Message):
    job: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Resume(Message):
    job: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Steer(Message):
    """Something asked of a running job; its operation knows what `data` means."""

    job: str
    data: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Prioritise(Message):
    job: str
    rank: int
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Prewarm(Message):
    """Import what this backend's module imports, so that the first job starts at once."""

    backend: Json
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Unload(Message):
    """Drop a resident model that no job uses; every one when `ref` is empty."""

    ref: str = ""
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Shutdown(Message):
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Hello(Message):
    pid: int
    device: str
    dtype: str
    facts: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Running(Message):
    """The backend's `run` has been entered."""

    job: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Progress(Message):
    """`stage` names what is going on before the first step; then done/total/rate count.

    Of a job of several rounds they count in the present one, number `round` of `rounds`, each a `name`. share: of the
    whole job's work, 0 to 1; left: seconds until its end. None where done and total say it.
    """

    job: str
    done: int = 0
    total: int | None = None
    rate: float | None = None
    unit: str = "it"
    stage: str = ""
    round: int = 0
    rounds: int = 0
    name: str = ""
    share: float | None = None
    left: float | None = None
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Stream(Message):
    """Text to append; `at` is the number of characters sent before it.

    item: which text it belongs to, of a job that writes several; each counts its own characters.
    """

    job: str
    at: int
    text: str
    item: int = 0
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Preview(Message):
    """One encoded picture a frame, one frame for each thing the job makes; an empty one has nothing to show."""

    job: str
    media: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Saved(Message):
    """A result is on disk; its job may go on. artifact: Artifact as a dictionary; facts: what is true of it alone."""

    job: str
    artifact: Json = field(default_factory=dict)
    facts: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Baton(Message):
    """The device now belongs to this job (nobody when empty)."""

    job: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Done(Message):
    """The receipt is on disk. artifacts: Artifact as dictionaries; facts: what the job noted."""

    job: str
    artifacts: list[Json] = field(default_factory=list)
    facts: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Failed(Message):
    """error: StudioError.to_dict(). fatal: the worker exits after this (a sticky device error)."""

    job: str
    error: Json
    artifacts: list[Json] = field(default_factory=list)
    fatal: bool = False
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Cancelled(Message):
    job: str
    artifacts: list[Json] = field(default_factory=list)
    facts: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Paused(Message):
    job: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Resumed(Message):
    job: str
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Memory(Message):
    """residents: model ref -> bytes. measured: {"job", "peak"} after a run. Sizes in bytes."""

    used: int
    total: int
    residents: Json = field(default_factory=dict)
    measured: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Request(Message):
    id: int
    method: str
    params: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Reply(Message):
    """Exactly one of result and error (StudioError.to_dict())."""

    id: int
    result: Any = None
    error: Json | None = None
    frames: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Event(Message):
    """kind: "job" (state), "progress", "stream", "preview", "saved", "memory", "queue", "models", "library", "notice".

    saved: {"artifact": Artifact as a dictionary, with its own "facts"}.
    """

    kind: str
    job: str = ""
    data: Json = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)


TYPES: dict[str, type[Message]] = {kind.__name__: kind for kind in Message.__subclasses__()}


class Unknown(Exception):
    """A message type or field this version does not know."""


def pack(message: Message) -> tuple[Json, list[bytes]]:
    """Head and frames of a message."""
    head = {f.name: getattr(message, f.name) for f in dataclasses.fields(message) if f.name != "frames"}  # type: ignore[arg-type]
    head["type"] = type(message).__name__
    return head, message.frames


def unpack(head: Json, frames: list[bytes]) -> Message:
    """The message of a head. Raises Unknown, so that a newer peer cannot confuse an older one."""
    kind = TYPES.get(str(head.get("type")))
    if kind is None:
        raise Unknown(f"message type {head.get('type')!r}")
    values = {key: value for key, value in head.items() if key != "type"}
    try:
        message = kind(**values)
    except TypeError as error:
        raise Unknown(str(error)) from None
    message.frames = frames
    return message
