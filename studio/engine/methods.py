"""What clients may ask: the table of methods, and those about the engine, its models and its settings.

One short function a method; each returns JSON, or JSON and frames.
"""

import asyncio
import dataclasses
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import studio
from studio.engine import methods_jobs as on_jobs
from studio.engine import methods_library as on_library
from studio.engine import methods_pictures as on_pictures
from studio.engine.asked import Asked
from studio.engine.core import Engine
from studio.errors import StudioError

Method = Callable[[Engine, Asked], Awaitable[Any]]


async def hello(engine: Engine, asked: Asked) -> Any:
    plugins = [
        {
            "id": plugin.id,
            "name": plugin.manifest.name if plugin.manifest else plugin.id,
            "source": plugin.source,
            "folder": str(plugin.folder),
            **({"problem": plugin.problem.to_dict()} if plugin.problem else {}),
        }
        for plugin in engine.plugins.all
    ]
    return {
        "version": studio.__version__,
        "pid": os.getpid(),
        "data": str(engine.paths.data),
        "library": str(engine.library_folder()),
        "plugins": plugins,
        "notices": [notice.to_dict() for notice in engine.notices],
        **engine.counts(),
    }


async def status(engine: Engine, asked: Asked) -> Any:
    return {"pid": os.getpid(), "workers": engine.supervisor.describe(), "idle": not engine.busy, **engine.counts()}


async def prewarm(engine: Engine, asked: Asked) -> Any:
    engine.prewarm(asked.text("operation"))
    return {}


async def models(engine: Engine, asked: Asked) -> Any:
    capability = asked.text("capability")

    def look() -> Any:
        found = engine.catalogue.models(capability)
        folders = [dataclasses.asdict(folder) for folder in engine.catalogue.folders]
        return {"models": [entry.model_dump(mode="json") for entry in found], "folders": folders}

    return await asyncio.to_thread(look)


async def add_folder(engine: Engine, asked: Asked) -> Any:
    path = Path(asked.text("path")).expanduser()
    if not path.is_absolute() or not path.is_dir():
        raise StudioError("There is no such folder", str(path), code="no-folder")
    folders = engine.settings.values.model_folders
    if str(path) not in folders:
        engine.settings.set("model_folders", [*folders, str(path)])
    return {"models": await engine.rescan()}


async def remove_folder(engine: Engine, asked: Asked) -> Any:
    path, folders = asked.text("path"), engine.settings.values.model_folders
    if path not in folders:
        raise StudioError("This folder is not among those with models", path, code="no-folder")
    engine.settings.set("model_folders", [folder for folder in folders if folder != path])
    return {"models": await engine.rescan()}


async def rescan(engine: Engine, asked: Asked) -> Any:
    return {"models": await engine.rescan()}


async def settings_get(engine: Engine, asked: Asked) -> Any:
    return engine.settings.values.model_dump(mode="json")


async def settings_set(engine: Engine, asked: Asked) -> Any:
    await engine.change_setting(asked.text("key"), asked.get("value"))
    return engine.settings.values.model_dump(mode="json")


METHODS: dict[str, Method] = {
    "hello": hello,
    "status": status,
    "prewarm": prewarm,
    "submit": on_jobs.submit,
    "cancel": on_jobs.cancel,
    "pause": on_jobs.pause,
    "resume": on_jobs.resume,
    "retry": on_jobs.retry,
    "move": on_jobs.move,
    "edit": on_jobs.edit,
    "forget": on_jobs.forget,
    "hold": on_jobs.hold,
    "duplicate": on_jobs.duplicate,
    "steer": on_jobs.steer,
    "preview": on_jobs.preview,
    "job": on_jobs.job,
    "jobs": on_jobs.jobs,
    "fits": on_jobs.fits,
    "models": models,
    "models.add_folder": add_folder,
    "models.remove_folder": remove_folder,
    "models.rescan": rescan,
    "library.list": on_library.list_items,
    "library.get": on_library.get,
    "library.trash": on_library.trash,
    "library.restore": on_library.restore,
    "library.empty_trash": on_library.empty_trash,
    "library.rebuild": on_library.rebuild,
    "library.thumbnail": on_pictures.thumbnail,
    "library.thumbnails": on_pictures.thumbnails,
    "picture.read": on_pictures.read,
    "input.put": on_library.put_input,
    "recipe.read": on_library.recipe,
    "settings.get": settings_get,
    "settings.set": settings_set,
}
