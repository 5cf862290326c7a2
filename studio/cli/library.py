"""`studio library`: results, found, shown, thrown away and brought back."""

from typing import Annotated

import typer

from studio.cli import show
from studio.cli.catalogue import AsJson

app = typer.Typer(help="List, show, trash and restore results.", invoke_without_command=True)
Ids = Annotated[list[str], typer.Argument(help="Ids from `studio library list`.")]


@app.callback()
def library(context: typer.Context) -> None:
    """List, show, trash and restore results."""
    if not context.invoked_subcommand:
        list_results(context)


@app.command("list")
def list_results(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Words of the prompt, the text or the model's name.")] = "",
    kind: Annotated[str, typer.Option(help="Only text, image, audio, video, model or data.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 30,
    trashed: Annotated[bool, typer.Option("--trashed", help="What is in the trash.")] = False,
    json: AsJson = False,
) -> None:
    """List results, newest first."""
    from studio.sdk.artifact import Kind

    if kind:
        show.check_choice("--kind", kind, Kind)
    wanted = {"query": query, "kind": kind, "trashed": trashed}
    given = {key: value for key, value in wanted.items() if value}
    answer = context.obj.ask("library.list", offset=0, limit=limit, **given)
    if json:
        print(show.as_json(answer))
        return
    if not answer["items"]:
        print("No result matches." if given else "Nothing has been made yet.")
        return
    rows = []
    for item in answer["items"]:
        what = show.printable(show.excerpt(item.get("title") or item.get("prompt") or item.get("excerpt") or ""))
        rows.append((item["id"], item["kind"], show.when(item.get("created") or 0), show.size(item["size"]), what))
    print(show.table(rows, ("ID", "KIND", "CREATED", "SIZE", "WHAT")))
    if answer["total"] > len(rows):
        print(f"{len(rows)} of {answer['total']}; --limit shows more.")


@app.command("show")
def show_result(context: typer.Context, id: str, json: AsJson = False) -> None:
    """Show one result: where it is, how it was made, and its text."""
    item = context.obj.ask("library.get", id=id)
    if json:
        print(show.as_json(item))
        return
    recipe = item.get("recipe") or {}
    about = [("file", item["path"]), ("kind", item["kind"]), ("size", show.size(item["size"]))]
    about += [("created", show.when(item.get("created") or 0)), ("operation", recipe.get("operation"))]
    about += [(name, value) for name, value in (recipe.get("params") or {}).items() if name != "prompt"]
    print(show.printable(show.lines(about)))
    if item.get("text"):
        print("\n" + show.printable(item["text"]))


@app.command()
def trash(context: typer.Context, ids: Ids) -> None:
    """Move results to the trash; `restore` brings them back."""
    context.obj.ask("library.trash", ids=ids)
    print(f"{len(ids)} moved to the trash; studio library restore brings them back.")


@app.command()
def restore(context: typer.Context, ids: Ids) -> None:
    """Bring results back from the trash."""
    context.obj.ask("library.restore", ids=ids)
    print(f"{len(ids)} restored.")
