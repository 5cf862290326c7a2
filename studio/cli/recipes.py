"""`studio recipe` and `studio again`: how a file was made, and making it once more."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli import show
from studio.cli.catalogue import AsJson
from studio.cli.follow import Follower, Outcome, follow
from studio.errors import StudioError

if TYPE_CHECKING:
    from studio.cli.session import Studio
    from studio.sdk.artifact import Recipe

File = Annotated[Path, typer.Argument(help="A result of this application.", metavar="FILE")]

TOGETHER = "painted_together"
"""The fact of a recipe that says how many results were computed in one batch."""


def recipe(context: typer.Context, file: File, json: AsJson = False) -> None:
    """Show how a file was made."""
    from studio.library.recipe import read_recipe

    try:
        found = read_recipe(file)
    except StudioError as error:
        if error.code != "no-recipe" or not foreign_recipe(context.obj, file, json):
            raise
        return
    if json:
        print(show.as_json(found.model_dump(mode="json")))
        return
    about: list[tuple[str, Any]] = [("operation", f"{found.operation} (version {found.operation_version})")]
    about += [("  " + name, value) for name, value in found.params.items()]
    about += [("created", show.when(found.created)), ("device", f"{found.device} {found.dtype}".strip())]
    about += [("model", f"{model.ref} {model.sha256[:16]}".strip()) for model in found.models]
    about += [("versions", ", ".join(f"{name} {version}" for name, version in found.versions.items()))]
    about += [("made from", ", ".join(found.parents))]
    print(show.printable(show.lines(about)))


def foreign_recipe(studio: "Studio", file: Path, json: bool) -> bool:
    """Shows what another program wrote into a picture; False when no plugin knows it."""
    from studio.host.loader import load_from
    from studio.library import pictures

    for plugin in studio.plugins().usable:
        if plugin.manifest is None or not plugin.manifest.foreign:
            continue
        try:
            texts = pictures.about(file)["texts"]
            found = load_from(plugin, plugin.manifest.foreign)(texts)
        except StudioError as error:
            if error.code in ("no-recipe", "broken-picture"):
                continue
            raise
        parts = {
            "program": found.program,
            "operation": found.operation,
            "params": found.params,
            "left": list(found.left),
        }
        if json:
            print(show.as_json(parts))
            return True
        about = [("made with", found.program), ("operation", found.operation)]
        about += [("  " + name, value) for name, value in found.params.items()]
        about += [("note", sentence) for sentence in found.left]
        print(show.printable(show.lines(about)))
        return True
    return False


def again(context: typer.Context, file: File) -> int:
    """Make a file once more from its recipe and say whether the result is the same."""
    from studio.library.recipe import read_recipe

    old = read_recipe(file)
    outcome = asyncio.run(_replay(context.obj, old))
    if outcome.exit_code:
        if outcome.job.get("error"):
            show.complain(StudioError.from_dict(outcome.job["error"]))
        else:
            print(f"The job is {outcome.job.get('state')}.", file=sys.stderr)
        return outcome.exit_code
    new = counterpart(file, old, outcome.artifacts)
    print(f"Made again: {new}", file=sys.stderr)
    difference = compare(file, new)
    if not difference:
        print("Exact: the result is the same, byte for byte.")
        return 0
    print(f"Different: {difference}")
    changes = changed(old, read_recipe(new))
    print("What changed: " + "; ".join(changes) if changes else "Nothing that the recipe records has changed.")
    return 1


async def _replay(studio: "Studio", old: "Recipe") -> Outcome:
    """Runs the recipe's operation with its params, brought to the present version."""
    from studio.host.loader import load_params

    params = load_params(studio.plugins().operation(old.operation))
    values = params.load(old.params, old.operation_version).model_dump(mode="json")
    status = show.StatusLine(sys.stderr)
    try:
        async with studio.engine() as client:
            job = await client.submit(old.operation, values, origin="cli", parents=old.parents)
            return await follow(client, job, Follower(status, None))
    finally:
        status.clear()


def counterpart(file: Path, old: "Recipe", artifacts: list[dict[str, Any]]) -> Path:
    """Of the new results the one in the old file's place: the same number after the job's id."""
    number = old.artifact.rpartition("-")[2]
    matching = [a for a in artifacts if a["id"].rpartition("-")[2] == number] or artifacts
    if not matching:
        raise StudioError("The job left no result", f"It was made from {file}.", code="no-result")
    return Path(matching[0]["path"])


def compare(old: Path, new: Path) -> str:
    """How the contents differ, without the recipes in them; empty when they do not."""
    first, second = content(old), content(new)
    if first == second:
        return ""
    if difference := pixels_apart(old, new):
        return difference
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    return f"{len(first)} and {len(second)} bytes, the same up to byte {at}."


def pixels_apart(old: Path, new: Path) -> str:
    """By how much two pictures of one size differ; "" where they are no such pictures."""
    from studio.library.recipe import PNG

    if not all(path.read_bytes()[: len(PNG)] == PNG for path in (old, new)):
        return ""
    from PIL import Image, ImageChops

    with Image.open(old) as first, Image.open(new) as second:
        if first.size != second.size or first.mode != second.mode:
            return ""
        difference = ImageChops.difference(first, second)
        most = max(high for _, high in _ranges(difference.getextrema()))
    return f"no pixel by more than {most} of 255 levels." if most else ""


def _ranges(extrema: Any) -> list[tuple[int, int]]:
    return list(extrema) if isinstance(extrema[0], tuple) else [extrema]


def content(path: Path) -> bytes:
    """What a person made: the text, the pixels, or the bytes of a file whose recipe lies beside it."""
    from studio.library.recipe import PNG, text_of

    data = path.read_bytes()
    if data.startswith(PNG):
        from PIL import Image

        with Image.open(path) as picture:
            return repr((picture.mode, picture.size)).encode() + picture.tobytes()
    if path.suffix == ".md":
        return text_of(path).encode()
    return data


def changed(old: "Recipe", new: "Recipe") -> list[str]:
    """What the two recipes say differently about how the result was made."""
    found = []
    for name in ("app", "operation_version", "device", "dtype", "rung"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            found.append(f"{name.replace('_', ' ')} {before or 'none'} → {after or 'none'}")
    for name in sorted(old.versions.keys() | new.versions.keys()):
        before, after = old.versions.get(name), new.versions.get(name)
        if before != after:
            found.append(f"{name} {before or 'absent'} → {after or 'absent'}")
    before, after = (recipe.facts.get(TOGETHER, 1) for recipe in (old, new))
    if before != after:
        found.append(f"{before} {TOGETHER.replace('_', ' ')} → {after}, which rounds otherwise")
    weights = {model.ref: model.sha256 for model in new.models}
    for model in old.models:
        if model.ref not in weights:
            found.append(f"model {model.ref} was not used")
        elif weights[model.ref] != model.sha256:
            found.append(f"the weights of {model.ref} are others ({model.sha256[:12]} → {weights[model.ref][:12]})")
    names = sorted(old.params.keys() | new.params.keys())
    return found + [f"setting {name}" for name in names if old.params.get(name) != new.params.get(name)]
