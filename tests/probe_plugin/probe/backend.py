"""Probe operations that behave. No torch."""

import sys
import time
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.sdk.artifact import Kind
from studio.sdk.operation import JobCancelled, JobContext, ModelInfo

from . import params as p


def nap(milliseconds: float) -> None:
    if milliseconds:
        time.sleep(milliseconds / 1000)


class Noop:
    def run(self, params: p.Noop, ctx: JobContext) -> None:
        pass


class Echo:
    def run(self, params: p.Echo, ctx: JobContext) -> None:
        size = max(1, -(-len(params.text) // params.chunks))
        pieces = [params.text[i : i + size] for i in range(0, len(params.text), size)]
        sent = ""
        try:
            for done, piece in enumerate(pieces, 1):
                nap(params.delay_ms)
                ctx.stream(piece)
                sent += piece
                ctx.step(done, len(pieces), unit="chunk")
        except JobCancelled:
            ctx.note(stop_reason="cancelled")
            if sent:
                ctx.save_text(sent)
            raise
        ctx.note(stop_reason="end", chunks=len(pieces))
        ctx.save_text(params.text)


class Steps:
    """Each step appends a number that follows from the seed, so that taking turns must not change the text."""

    def run(self, params: p.Steps, ctx: JobContext) -> None:
        ctx.stage("Getting ready")
        nap(params.nap_ms)
        state, numbers = params.seed or 0, []
        try:
            for done in range(1, params.steps + 1):
                nap(params.delay_ms)
                state = (1103515245 * state + 12345) % 2**31
                numbers.append(str(state))
                if done == params.fail_at:
                    raise StudioError("The step failed on purpose", f"Step {done}.", code="probe")
                ctx.stream(f"{state} ")
                ctx.step(done, params.steps)
                if done == params.save_at:
                    ctx.save_text(" ".join(numbers))
        except JobCancelled:
            if params.on_cancel == "save":
                ctx.save_text(" ".join(numbers))
            if params.on_cancel == "swallow":
                return
            if params.on_cancel == "turn":
                ctx.note(turn=ctx.last_turn())
                if ctx.last_turn():
                    ctx.save_text(" ".join(numbers))
            raise
        ctx.save_text(" ".join(numbers))


class Flood:
    def run(self, params: p.Flood, ctx: JobContext) -> None:
        for i in range(max(params.events, params.prints)):
            if i < params.prints:
                print("flood on standard output", i)
                print("flood on standard error", i, file=sys.stderr)
            if i < params.events:
                ctx.stream(f"{i}\n")
                ctx.step(i + 1, params.events)


class Disk:
    def run(self, params: p.Disk, ctx: JobContext) -> None:
        def write(path: Path) -> None:
            with path.open("wb") as file:
                left = params.bytes
                while left > 0:
                    left -= file.write(b"\0" * min(left, 1 << 16))

        ctx.step(1, 2)
        ctx.save_file(".bin", Kind.DATA, write, media="application/octet-stream")
        ctx.step(2, 2)


SHARED = {"adapter": ""}


class Adapter:
    """Fails when it finds another job's adapter on the shared module while it has the device."""

    def run(self, params: p.Steps, ctx: JobContext) -> None:
        def enter() -> None:
            assert SHARED["adapter"] == "", f"{ctx.job} found {SHARED['adapter']} on the module"
            SHARED["adapter"] = ctx.job

        def leave() -> None:
            assert SHARED["adapter"] == ctx.job
            SHARED["adapter"] = ""

        with ctx.around_baton(enter, leave):
            for done in range(1, params.steps + 1):
                assert SHARED["adapter"] == ctx.job
                nap(params.delay_ms)
                ctx.step(done, params.steps)
        ctx.save_text(SHARED["adapter"])


LOADS: list[str] = []


class Model:
    """Loads with and without accidents; the saved text tells how often the process has loaded."""

    def run(self, params: p.Model, ctx: JobContext) -> None:
        def load(info: ModelInfo) -> Any:
            ctx.stage(f"Loading {info.id}")
            LOADS.append(info.id)
            nap(params.load_ms)
            if params.how == "error":
                raise ValueError("the weights are not numbers")
            if params.how == "memory":
                raise MemoryError
            if params.how == "studio":
                raise StudioError("The model is truncated", "12 of 40 bytes are there.", code="truncated")
            if params.how == "sticky":
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            return {"weights": Path(info.path).name}

        with ctx.models.use(params.model, load) as loaded:
            for done in range(1, params.steps + 1):
                ctx.step(done, params.steps)
            ctx.save_text(f"{loaded['weights']} loads={len(LOADS)}")


class Gather:
    def run(self, params: p.Gather, ctx: JobContext) -> None:
        text = ctx.input(params.file).read_bytes()
        for piece in params.pieces:
            text += b"+" + ctx.input(piece.file).read_bytes()
        heard = []
        for done in range(1, params.steps + 1):
            nap(5)
            heard += ctx.steering()
            ctx.step(done, params.steps, preview=[b"\x89PNG first", b""])
            if {"do": "finish"} in heard:
                break
        ctx.steps.mkdir(parents=True, exist_ok=True)
        (ctx.steps / "last").write_bytes(text)
        own = {"params": {"steps": done}, "facts": {"heard": heard}}
        ctx.save_file(".bin", Kind.DATA, lambda path: path.write_bytes(text) and None, media="x/y", **own)
