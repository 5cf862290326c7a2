"""Requests about picture files and thumbnails. One short function a method; each returns JSON, or JSON and frames."""

from pathlib import Path
from typing import Any

from studio.engine.asked import Asked
from studio.engine.core import Engine
from studio.engine.pictures import MOST
from studio.errors import StudioError
from studio.library.thumbnails import SIZE


async def read(engine: Engine, asked: Asked) -> Any:
    """What the picture at `path` is, the texts in it, and its recipe when it was made here."""
    path = Path(asked.text("path"))
    if not path.is_absolute():
        raise StudioError("The request is not valid", "“path” must be a whole path.", code="bad-request")
    return await engine.pictures.about(path)


async def thumbnail(engine: Engine, asked: Asked) -> Any:
    """The thumbnail of the item `id`, as a frame; none for things without a picture."""
    places = await engine.results.call(lambda index: index.places([asked.text("id")]))
    if not places:
        raise StudioError("This result is not in the library", f"Nothing has the id {asked.text('id')!r}.",
                          code="unknown-item")  # fmt: skip
    ((picture, problem),) = await engine.pictures.thumbnails(list(places.values()), asked.whole("size", SIZE, least=1))
    if problem is not None:
        raise problem
    return {}, [picture] if picture else []


async def thumbnails(engine: Engine, asked: Asked) -> Any:
    """Thumbnails of the items `ids`: {"items": [{"id", "problem"}]} and a frame for each, empty without a picture."""
    ids = asked.texts("ids")
    if len(ids) > MOST:
        raise StudioError("The request is not valid", f"At most {MOST} thumbnails at once.", code="bad-request")
    places = await engine.results.call(lambda index: index.places(ids))
    known = [id for id in ids if id in places]
    size = asked.whole("size", SIZE, least=1)
    made = dict(zip(known, await engine.pictures.thumbnails([places[id] for id in known], size), strict=True))
    items = [{"id": id, "problem": str(made[id][1] or "") if id in made else "It is not in the library."} for id in ids]
    return {"items": items}, [made[id][0] if id in made else b"" for id in ids]
