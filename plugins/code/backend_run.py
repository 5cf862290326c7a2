"""code.run: foreign code behind walls, its output streamed and kept. It needs no device."""

import importlib.util
import time
from pathlib import Path, PurePosixPath

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .params import Run as Params
from .sandbox import MIB, Isolation, Limits, interpreter, isolation, run, scratch

TELL_S = 1.0


class Run:
    """The backend of code.run."""

    def run(self, params: Params, ctx: JobContext) -> None:
        walls = isolation()
        if walls == Isolation.NONE and not params.unprotected:
            raise StudioError(
                "This system can shut the code in nowhere",
                "It offers neither user namespaces nor bubblewrap, so the code could do whatever you can do.",
                "Install bubblewrap, or allow a run without walls if you have read the code.",
                code="not-isolated",
            )
        if not interpreter():
            raise StudioError(
                "There is no Python to run it with", "No python3 was found.", "Install Python.", code="no-python"
            )
        files = {file.path: file.text for file in params.files}
        if params.main not in files and not params.tests:
            raise StudioError("There is nothing to run", f"{params.main} is not among the files.", code="no-main")
        with scratch(files) as folder:
            self._run(params, ctx, walls, folder)

    def _run(self, params: Params, ctx: JobContext, walls: Isolation, folder: Path) -> None:
        limits = Limits(
            wall_s=params.seconds,
            cpu_s=max(1, round(params.seconds)),
            memory=params.memory * MIB,
            room=params.room * MIB,
            file=params.room * MIB,
        )
        began = told = time.monotonic()

        def check() -> None:
            nonlocal told
            ctx.check()
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                ctx.stage("Running", int(told - began), round(params.seconds))

        ctx.stage("Running", 0, round(params.seconds))
        outcome = run(command(params), folder, limits, walls, ctx.stream, check)
        ctx.note(
            exit_code=outcome.code,
            stopped_because=outcome.reason,
            seconds=round(outcome.seconds, 2),
            isolation=outcome.isolation,
        )
        ctx.save_text(outcome.output, media="text/plain")


def command(params: Params) -> list[str]:
    """What is started in the folder of the files."""
    python = [interpreter(), "-u"]
    if not params.tests:
        return [*python, params.main, *params.arguments]
    if importlib.util.find_spec("pytest") is not None:
        return [*python, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", *params.arguments]
    tests = [file.path for file in params.files if PurePosixPath(file.path).name.startswith("test")]
    return [*python, "-m", "unittest", *(tests or ["discover"]), *params.arguments]
