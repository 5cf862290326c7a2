"""`studio engine`: the process that owns the queue, looked at and stopped without starting one."""

import asyncio
from typing import Any

import typer

from studio.cli import show
from studio.cli.catalogue import AsJson
from studio.errors import StudioError

app = typer.Typer(help="Show or stop the engine, the process that owns the queue.", invoke_without_command=True)


@app.callback()
def engine(context: typer.Context) -> None:
    """Show or stop the engine, the process that owns the queue."""
    if not context.invoked_subcommand:
        status(context)


@app.command()
def status(context: typer.Context, json: AsJson = False) -> None:
    """Say whether it runs, with its workers and how much waits."""
    found = asyncio.run(_ask_running(context.obj.paths, "status"))
    if json:
        print(show.as_json(found))
    elif found is None:
        print("No engine runs. It starts when a window or a command needs it.")
    else:
        about = [(key, value) for key, value in found.items() if not isinstance(value, list)]
        for worker in found["workers"]:
            jobs = f", {len(worker['jobs'])} jobs" if worker.get("jobs") else ""
            about.append(("worker", f"{worker['device']}, process {worker['pid']}, {worker['state']}{jobs}"))
        print(show.lines(about))


@app.command()
def stop(context: typer.Context) -> None:
    """Stop it. Waiting jobs stay; running ones start again with the next engine."""
    found = asyncio.run(_ask_running(context.obj.paths, "shutdown"))
    print("No engine runs." if found is None else "The engine stops.")


async def _ask_running(paths: Any, method: str) -> dict[str, Any] | None:
    """The answer of the engine that runs, or None without one."""
    from studio.engine.client import EngineClient

    try:
        client = await EngineClient.connect(paths)
    except (OSError, StudioError):
        return None
    try:
        return await client.call(method)
    finally:
        await client.close()
