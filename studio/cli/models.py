"""`studio models`: what is installed, and the folders that are searched."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli import show
from studio.cli.catalogue import AsJson
from studio.errors import StudioError

app = typer.Typer(help="List the models; add or remove folders to search.", invoke_without_command=True)
Folder = Annotated[Path, typer.Argument(help="A folder that holds models, or one model.")]


@app.callback()
def models(
    context: typer.Context,
    capability: Annotated[str, typer.Option(help="Only those that can do this, for example text-generation.")] = "",
    json: AsJson = False,
) -> None:
    """List the models; add or remove folders to search."""
    if context.invoked_subcommand:
        return
    answer = context.obj.ask("models", **({"capability": capability} if capability else {}))
    if json:
        print(show.as_json(answer))
        return
    rows = []
    for model in answer["models"]:
        problem = model.get("problem")
        note = (problem or {}).get("title") or ("starter model" if model.get("starter") else "")
        size = show.size(model.get("size") or 0)
        about = (model["capability"], model.get("family", ""), model.get("dtype", ""), size)
        rows.append((model["id"], *about, show.printable(note)))
    print(show.table(rows, ("MODEL", "CAPABILITY", "FAMILY", "WEIGHTS", "SIZE", "NOTE")))
    print()
    for folder in answer["folders"]:
        problem = (folder.get("problem") or {}).get("title")
        print(show.printable(f"Searched: {folder['path']}" + (f" ({problem})" if problem else "")))


@app.command()
def add(context: typer.Context, folder: Folder) -> None:
    """Search this folder too. Nothing in it is moved or changed."""
    path = str(folder.expanduser().absolute())
    context.obj.ask("models.add_folder", path=path)
    print(f"Models are now also searched in {path}.")


@app.command()
def remove(context: typer.Context, folder: Folder) -> None:
    """Do not search this folder any more. Nothing in it is deleted."""
    path = str(folder.expanduser().absolute())
    searched = [known["path"] for known in context.obj.ask("models")["folders"]]
    if path not in searched:
        raise StudioError("This folder is not searched", path, f"Searched: {', '.join(searched)}", code="not-found")
    context.obj.ask("models.remove_folder", path=path)
    print(f"Models are no longer searched in {path}.")
