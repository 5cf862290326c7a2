"""Requests about results and their recipes. One short function a method; each returns JSON, or JSON and frames."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

from studio.engine.asked import Asked
from studio.engine.core import Engine
from studio.errors import StudioError
from studio.library import inputs
from studio.library.recipe import read_recipe, to_json

PAGE = 200
MOST = 1000


async def list_items(engine: Engine, asked: Asked) -> Any:
    query, kind, trashed = asked.text("query"), asked.text("kind"), asked.flag("trashed", False)
    offset, limit = asked.whole("offset", 0), min(MOST, asked.whole("limit", PAGE))
    return await engine.results.call(lambda index: index.list(query, kind, offset, limit, trashed=trashed))


async def get(engine: Engine, asked: Asked) -> Any:
    identity = asked.text("id")
    return await engine.results.call(lambda index: index.get(identity))


async def trash(engine: Engine, asked: Asked) -> Any:
    ids = asked.texts("ids")
    return dataclasses.asdict(await engine.results.change(lambda index: index.trash(ids)))


async def restore(engine: Engine, asked: Asked) -> Any:
    ids = asked.texts("ids")
    return dataclasses.asdict(await engine.results.change(lambda index: index.restore(ids)))


async def empty_trash(engine: Engine, asked: Asked) -> Any:
    return dataclasses.asdict(await engine.results.change(lambda index: index.empty_trash()))


async def rebuild(engine: Engine, asked: Asked) -> Any:
    await engine.results.call(lambda index: index.rebuild())
    engine.bus.publish("library", changed=[], removed=[])
    return {}


async def put_input(engine: Engine, asked: Asked) -> Any:
    """Keeps the frame's bytes as an input file; what its name is in params. name: also as a file that is called so."""
    if len(asked.frames) != 1 or not asked.frames[0]:
        raise StudioError("The request is not valid", "An input is one frame of bytes.", code="bad-request")
    data, suffix = asked.frames[0], asked.text("suffix")
    folder, title = engine.paths.inputs, asked.text("name")
    kept = await asyncio.to_thread(inputs.keep, folder, data, suffix)
    named = await asyncio.to_thread(inputs.under_name, folder, kept, title) if title else None
    return {"input": kept, **({"path": str(named)} if named else {})}


async def recipe(engine: Engine, asked: Asked) -> Any:
    return to_json(await asyncio.to_thread(read_recipe, Path(asked.text("path"))))
