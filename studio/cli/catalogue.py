"""`studio ops`, `studio schema` and `studio plugins`: what can be asked, from which plugin."""

from typing import Annotated

import typer

from studio.cli import show

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def ops(context: typer.Context, json: AsJson = False) -> None:
    """List the operations."""
    found = context.obj.plugins().operations()
    if json:
        print(show.as_json([{**op.entry.model_dump(), "plugin": op.plugin.id} for op in found.values()]))
        return
    rows = [(op.id, op.entry.title, op.entry.summary) for op in found.values()]
    print(show.table(rows, ("OPERATION", "TITLE", "WHAT IT DOES")))


def schema(context: typer.Context, operation: str) -> None:
    """Print the JSON schema of an operation's inputs."""
    from studio.host.loader import load_params

    print(show.as_json(load_params(context.obj.plugins().operation(operation)).model_json_schema()))


def plugins(context: typer.Context, json: AsJson = False) -> None:
    """List the plugins and, for one that cannot be used, the reason."""
    found = context.obj.ask("hello", client="cli", version="")["plugins"]
    if json:
        print(show.as_json(found))
        return
    rows = []
    for plugin in found:
        problem = plugin.get("problem") or {}
        reason = ": ".join(filter(None, (problem.get("title"), problem.get("detail")))) if problem else "ready"
        rows.append((plugin["id"], plugin.get("name", ""), show.printable(reason)))
    print(show.table(rows, ("PLUGIN", "NAME", "STATE")))
