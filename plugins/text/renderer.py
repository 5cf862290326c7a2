"""Chat templates rendered in a child that may die of them, while this process does not notice.

Owns Renderer: one child, started at the first use (a second or so) and kept, so that a rendering costs a
millisecond. A template that does not end, or asks for a gigabyte, ends the child and becomes a StudioError; the next
rendering starts another. Imports no torch.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from studio.errors import StudioError

CHILD = Path(__file__).with_name("template_child.py")
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|CREDENTIAL|_KEY$", re.IGNORECASE)
START_S = 300.0
LONGEST_TEMPLATE = 1 << 20
OTHER = "Choose another template in the settings, or the plain format."


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one rendering. cpu_s: seconds of computing. wall_s: seconds at all, for a system that does not count those.

    memory: bytes beyond the child's own. output: characters beyond four times the conversation's.
    """

    cpu_s: float = 2.0
    wall_s: float = 30.0
    memory: int = 512 << 20
    output: int = 1 << 20


class Renderer:
    """One child at most. May be used from several threads."""

    def __init__(self, limits: Limits = Limits()):
        self._limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False

    def warm(self) -> None:
        """Starts the child without waiting for it: it gets ready while a model is loaded."""
        with self._lock:
            self._start()

    def render(
        self,
        template: str,
        messages: Sequence[Mapping[str, str]],
        *,
        going_on: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """The text that the template makes of the messages, ready for an answer.

        going_on: the last message is left open, to be continued. Raises StudioError with one of the codes
        "template" (it refuses this conversation), "template-syntax", "template-time", "template-memory",
        "template-size" and "template-continue" (it takes the last message apart).
        """
        if len(template) > LONGEST_TEMPLATE:
            raise _error("size", f"It is {len(template):,} characters long itself")
        asked = {"template": template, "messages": list(messages), "continue": going_on, "variables": variables or {}}
        with self._lock:
            answer = self._ask(json.dumps(asked).encode() + b"\n")
        if "text" not in answer:
            raise _error(str(answer.get("error")), str(answer.get("words", "")))
        return str(answer["text"])

    def close(self) -> None:
        """Ends the child; another is started when it is needed."""
        with self._lock:
            self._end()

    def _ask(self, line: bytes) -> dict[str, Any]:
        process = self._start()
        if not self._ready:
            self._read(process, START_S)
            self._ready = True
        try:
            assert process.stdin is not None
            process.stdin.write(line)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # what killed it is told below
        answer = self._read(process, self._limits.wall_s)
        if answer.get("error") == "memory":
            self._end()  # what it holds on to is not known
        return answer

    def _read(self, process: subprocess.Popen[bytes], patience_s: float) -> dict[str, Any]:
        """One answer; {"error": …} when the child died before it gave one."""
        assert process.stdout is not None
        watch = threading.Timer(patience_s, process.kill)
        watch.start()
        try:
            line = process.stdout.readline()
        finally:
            watch.cancel()
            watch.join()
        if line.endswith(b"\n"):
            return json.loads(line)
        status = process.wait()
        self._end()
        if not self._ready and status >= 0:
            raise StudioError(
                "Chat templates cannot be rendered here",
                f"The process for them ended with code {status} before it began.",
                "Look into the worker's log; transformers may be damaged.",
                code="template-child",
            )
        slow = status in (-getattr(signal, "SIGPROF", 0), -getattr(signal, "SIGKILL", 0)) or os.name == "nt"
        return {"error": "time" if slow else "memory", "words": ""}

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        environment = {name: value for name, value in os.environ.items() if not SECRET.search(name)}
        self._process = subprocess.Popen(
            [*command(), json.dumps(asdict(self._limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return self._process

    def _end(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # it had not read everything


def command() -> list[str]:
    """How the child is started, which in a frozen application is no Python of its own."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--worker", "--child", str(CHILD)]
    return [sys.executable, "-P", str(CHILD)]


@cache
def renderer() -> Renderer:
    """This process's: a model that writes for many jobs has one child for all of them. It ends with the process."""
    return Renderer()


def _error(kind: str, words: str) -> StudioError:
    said = f"{words}." if words and words[-1] not in ".!?" else words
    titles = {
        "time": ("The chat template does not come to an end", "It computed for too long and was stopped."),
        "memory": ("The chat template takes too much memory", "It was stopped."),
        "size": ("The chat template writes too much", said),
        "syntax": ("The chat template is not valid", said),
        "continue": ("This message cannot be continued", f"The chat template takes it apart. {said}"),
    }
    title, detail = titles.get(kind, ("The chat template refuses this conversation", f"It says: {said}"))
    hint = "Ask for a new answer instead." if kind == "continue" else OTHER
    return StudioError(title, detail, hint, code=f"template-{kind}" if kind in titles else "template")
