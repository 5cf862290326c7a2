"""What clients may ask. One short function a method; each returns JSON, or JSON and frames."""

import asyncio
import dataclasses
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Any

import studio
from studio.engine.admission import priority_of, refuse_too_large
from studio.engine.core import Engine
from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs.state import ENDED, Job, JobState, Priority
from studio.library import thumbnails
from studio.library.recipe import read_recipe, to_json

PAGE = 200
MOST = 1000
Answer = Any
Method = Callable[[Engine, dict[str, Any]], Awaitable[Answer]]


def _job(engine: Engine, asked: dict[str, Any]) -> Job:
    job = engine.queue.jobs.get(str(asked.get("job")))
    if job is None:
        raise StudioError("There is no such job", str(asked.get("job")), code="unknown-job")
    return job


def _shown(engine: Engine, job: Job) -> dict[str, Any]:
    live = engine.live.get(job.id) if job.worker else None
    return {**job.to_dict(), "live": live.to_dict()} if live else job.to_dict()


# Jobs -------------------------------------------------------------------------------------------------


async def hello(engine: Engine, asked: dict[str, Any]) -> Answer:
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


async def submit(engine: Engine, asked: dict[str, Any]) -> Answer:
    known = engine.queue.jobs.get(str(asked.get("job")))
    if known is not None:
        return {"job": known.id}
    job = await engine.admission.job(asked, engine.budget)
    await engine.tell(ev.Submitted(job.to_dict(), time.time()))
    return {"job": job.id}


async def cancel(engine: Engine, asked: dict[str, Any]) -> Answer:
    await engine.tell(ev.CancelAsked(_job(engine, asked).id, time.time()))
    return {}


async def pause(engine: Engine, asked: dict[str, Any]) -> Answer:
    await engine.tell(ev.PauseAsked(_job(engine, asked).id))
    return {}


async def resume(engine: Engine, asked: dict[str, Any]) -> Answer:
    await engine.tell(ev.ResumeAsked(_job(engine, asked).id))
    return {}


async def retry(engine: Engine, asked: dict[str, Any]) -> Answer:
    job = _job(engine, asked)
    if job.state not in (JobState.FAILED, JobState.CANCELLED):
        raise StudioError("Only a failed or cancelled job can be retried", f"This one is {job.state}.", code="state")
    await engine.tell(ev.RetryAsked(job.id, time.time()))
    return {}


async def move(engine: Engine, asked: dict[str, Any]) -> Answer:
    await engine.tell(ev.Moved(_job(engine, asked).id, str(asked.get("before") or "")))
    return {}


async def edit(engine: Engine, asked: dict[str, Any]) -> Answer:
    job = _job(engine, asked)
    if job.worker or job.state not in (JobState.QUEUED, JobState.PAUSED):
        raise StudioError("Only a waiting job can be changed", f"This one is {job.state}.", code="state")
    changes: dict[str, Any] = {}
    if "params" in asked:
        checked = await engine.admission.check(job.operation, asked["params"])
        refuse_too_large(checked.estimate, engine.budget)
        changes["params"] = checked.params.model_dump(mode="json")
        changes["models"], changes["memory"] = list(checked.models), checked.estimate.total
        changes["title"] = engine.admission.title(checked.params, job.operation)
    if "title" in asked:
        changes["title"] = str(asked["title"])
    if "priority" in asked:
        changes["priority"] = int(priority_of(asked["priority"]))
    if "not_before" in asked:
        changes["not_before"] = float(asked["not_before"] or 0.0)
    await engine.tell(ev.Edited(job.id, changes))
    return {}


async def forget(engine: Engine, asked: dict[str, Any]) -> Answer:
    job = _job(engine, asked)
    if job.state not in ENDED:
        raise StudioError("Only an ended job can be removed from the history", f"It is {job.state}.", code="state")
    await engine.tell(ev.Forgotten(job.id))
    return {}


async def hold(engine: Engine, asked: dict[str, Any]) -> Answer:
    await engine.tell(ev.Held(bool(asked.get("held", True))))
    return {}


async def duplicate(engine: Engine, asked: dict[str, Any]) -> Answer:
    job = _job(engine, asked)
    params = {**job.params, **(asked.get("params") or {})}
    return await submit(
        engine,
        {
            "job": str(asked.get("new_job") or uuid.uuid4().hex),
            "operation": job.operation,
            "params": params,
            "origin": job.origin,
            "priority": job.priority.name.lower(),
            "parents": job.parents,
        },
    )


async def job(engine: Engine, asked: dict[str, Any]) -> Answer:
    return _shown(engine, _job(engine, asked))


async def jobs(engine: Engine, asked: dict[str, Any]) -> Answer:
    """A page of jobs: those on workers first, then waiting ones in the order they will run, then the ended."""
    states = {JobState(state) for state in asked.get("states") or JobState}
    origin = asked.get("origin")
    offset, limit = max(0, int(asked.get("offset", 0))), min(MOST, int(asked.get("limit", PAGE)))
    queue = engine.queue
    if states == {JobState.QUEUED} and not origin:
        total = queue.waiting_count()
        chosen = list(islice(_waiting(engine), offset, offset + limit))
    else:
        found = [
            job for job in _ordered(engine, states) if job.state in states and (not origin or job.origin == origin)
        ]
        if asked.get("newest"):
            found.sort(key=lambda job: -job.seq)
        total, chosen = len(found), found[offset : offset + limit]
    return {"total": total, **engine.counts(), "jobs": [_shown(engine, job) for job in chosen]}


def _waiting(engine: Engine) -> Any:
    queue = engine.queue
    for priority in Priority:
        for _, _, id in queue.waiting[priority]:
            yield queue.jobs[id]
    for id in sorted(queue.blocked, key=lambda id: queue.jobs[id].seq):
        yield queue.jobs[id]


def _ordered(engine: Engine, states: set[JobState]) -> Any:
    every = engine.queue.jobs.values()
    active = (JobState.STARTING, JobState.RUNNING, JobState.CANCELLING, JobState.PAUSED)
    yield from (job for job in every if job.state in active)
    if JobState.QUEUED in states:
        yield from _waiting(engine)
    if states & ENDED:
        ended = [job for job in every if job.state in ENDED]
        yield from sorted(ended, key=lambda job: (-job.ended, -job.seq))


async def fits(engine: Engine, asked: dict[str, Any]) -> Answer:
    checked = await engine.admission.check(str(asked.get("operation")), asked.get("params") or {})
    estimate, budget = checked.estimate, engine.budget
    verdict = "yes"
    if budget and estimate.total > budget:
        verdict = "no"
    elif budget and estimate.total > 0.8 * budget:
        verdict = "tight"
    return {"estimate": {**dataclasses.asdict(estimate), "total": estimate.total}, "budget": budget, "fits": verdict}


async def prewarm(engine: Engine, asked: dict[str, Any]) -> Answer:
    engine.prewarm(str(asked.get("operation")))
    return {}


async def status(engine: Engine, asked: dict[str, Any]) -> Answer:
    return {"pid": os.getpid(), "workers": engine.supervisor.describe(), "idle": not engine.busy, **engine.counts()}


# Models -----------------------------------------------------------------------------------------------


async def models(engine: Engine, asked: dict[str, Any]) -> Answer:
    def look() -> Answer:
        found = engine.catalogue.models(str(asked.get("capability") or ""))
        folders = [dataclasses.asdict(folder) for folder in engine.catalogue.folders]
        return {"models": [entry.model_dump(mode="json") for entry in found], "folders": folders}

    return await asyncio.to_thread(look)


async def add_folder(engine: Engine, asked: dict[str, Any]) -> Answer:
    path = Path(str(asked.get("path", ""))).expanduser().absolute()
    if not path.is_dir():
        raise StudioError("There is no such folder", str(path), code="no-folder")
    folders = engine.settings.values.model_folders
    if str(path) not in folders:
        engine.settings.set("model_folders", [*folders, str(path)])
    return await _rescanned(engine)


async def remove_folder(engine: Engine, asked: dict[str, Any]) -> Answer:
    path = str(asked.get("path", ""))
    engine.settings.set("model_folders", [folder for folder in engine.settings.values.model_folders if folder != path])
    return await _rescanned(engine)


async def rescan(engine: Engine, asked: dict[str, Any]) -> Answer:
    return await _rescanned(engine)


async def _rescanned(engine: Engine) -> Answer:
    engine.catalogue.set_folders(engine.model_folders())
    found = await asyncio.to_thread(engine.catalogue.scan)
    engine.bus.publish("models")
    return {"models": len(found)}


# Library ----------------------------------------------------------------------------------------------


async def library_list(engine: Engine, asked: dict[str, Any]) -> Answer:
    known = {key: asked[key] for key in ("query", "kind", "offset", "limit", "trashed") if asked.get(key) is not None}
    return await engine.results.call(lambda index: index.list(**known))


async def library_get(engine: Engine, asked: dict[str, Any]) -> Answer:
    return await engine.results.call(lambda index: index.get(str(asked.get("id"))))


async def library_trash(engine: Engine, asked: dict[str, Any]) -> Answer:
    ids = [str(id) for id in asked.get("ids") or ()]
    return dataclasses.asdict(await engine.results.change(lambda index: index.trash(ids)))


async def library_restore(engine: Engine, asked: dict[str, Any]) -> Answer:
    ids = [str(id) for id in asked.get("ids") or ()]
    return dataclasses.asdict(await engine.results.change(lambda index: index.restore(ids)))


async def library_empty_trash(engine: Engine, asked: dict[str, Any]) -> Answer:
    return dataclasses.asdict(await engine.results.change(lambda index: index.empty_trash()))


async def library_rebuild(engine: Engine, asked: dict[str, Any]) -> Answer:
    await engine.results.call(lambda index: index.rebuild())
    engine.bus.publish("library", changed=[], removed=[])
    return {}


async def library_thumbnail(engine: Engine, asked: dict[str, Any]) -> Answer:
    item = await engine.results.call(lambda index: index.get(str(asked.get("id"))))
    picture = await asyncio.to_thread(thumbnails.thumbnail, item["path"], item["kind"])
    return {}, [picture] if picture else []


async def recipe_read(engine: Engine, asked: dict[str, Any]) -> Answer:
    return to_json(await asyncio.to_thread(read_recipe, Path(str(asked.get("path", "")))))


# Settings ---------------------------------------------------------------------------------------------


async def settings_get(engine: Engine, asked: dict[str, Any]) -> Answer:
    return engine.settings.values.model_dump(mode="json")


async def settings_set(engine: Engine, asked: dict[str, Any]) -> Answer:
    key = str(asked.get("key"))
    engine.settings.set(key, asked.get("value"))
    if key == "library":
        await engine.results.use_folder(engine.library_folder())
    elif key == "model_folders":
        await _rescanned(engine)
    return engine.settings.values.model_dump(mode="json")


METHODS: dict[str, Method] = {
    "hello": hello,
    "submit": submit,
    "cancel": cancel,
    "pause": pause,
    "resume": resume,
    "retry": retry,
    "move": move,
    "edit": edit,
    "forget": forget,
    "hold": hold,
    "duplicate": duplicate,
    "job": job,
    "jobs": jobs,
    "fits": fits,
    "prewarm": prewarm,
    "status": status,
    "models": models,
    "models.add_folder": add_folder,
    "models.remove_folder": remove_folder,
    "models.rescan": rescan,
    "library.list": library_list,
    "library.get": library_get,
    "library.trash": library_trash,
    "library.restore": library_restore,
    "library.empty_trash": library_empty_trash,
    "library.rebuild": library_rebuild,
    "library.thumbnail": library_thumbnail,
    "recipe.read": recipe_read,
    "settings.get": settings_get,
    "settings.set": settings_set,
}
