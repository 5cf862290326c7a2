"""What clients may ask of a real engine, and what they are told when they ask for nonsense."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from studio.library.recipe import text_of
from tests.tiny_models import build_llama
from tests.worker.engine_rig import Watcher, check_exactly_once

pytestmark = pytest.mark.worker


async def refusal(watcher: Watcher, method: str, **params: Any) -> StudioError:
    with pytest.raises(StudioError) as refused:
        await watcher.client.call(method, **params)
    return refused.value


async def waiting(watcher: Watcher) -> list[str]:
    return [job["id"] for job in (await watcher.client.call("jobs", states=["queued"]))["jobs"]]


NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("submit", {"operation": "probe.noop", "job": "../../etc/passwd"}),
    ("submit", {"operation": "probe.noop", "job": 7}),
    ("submit", {"operation": "probe.noop", "params": [1]}),
    ("submit", {"operation": "probe.noop", "not_before": "soon"}),
    ("submit", {"operation": "probe.noop", "priority": "urgent"}),
    ("submit", {"operation": "probe.noop", "priority": {}}),
    ("submit", {"operation": "probe.noop", "job": "me", "depends_on": ["me"]}),
    ("submit", {"operation": "probe.noop", "parents": "abc"}),
    ("jobs", {"states": ["busy"]}),
    ("jobs", {"offset": -1}),
    ("jobs", {"limit": "all"}),
    ("library.list", {"limit": 1.5}),
    ("library.trash", {"ids": [1]}),
    ("settings.set", {"key": "colour", "value": 1}),
    ("settings.set", {"key": "library_folder", "value": "relative/folder"}),
    ("hold", {"held": "yes"}),
    ("subscribe", {"events": "all"}),
]


def test_nonsense_is_refused_in_words_and_changes_nothing(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            for method, params in NONSENSE:
                error = await refusal(watcher, method, **params)
                assert error.code == "bad-request" and error.title, (method, params, error, error.log)
            unknown = [("job", "unknown-job"), ("cancel", "unknown-job"), ("retry", "unknown-job")]
            unknown += [("library.get", "unknown-item"), ("recipe.read", "not-found"), ("dance", "unknown-method")]
            for method, code in unknown:
                assert (await refusal(watcher, method, job="x", id="x", path="/x")).code == code
            assert (await refusal(watcher, "submit", operation="probe.steps", params={"steps": -1})).code == "invalid"
            assert await watcher.jobs() == {}
            assert (await watcher.client.call("settings.get"))["library_folder"] == ""

    asyncio.run(scene())


def test_the_wrong_state_is_said(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            done = await watcher.submit("probe.noop")
            await watcher.ended(done)
            for method in ("pause", "resume", "retry", "move", "edit"):
                error = await refusal(watcher, method, job=done, title="x")
                assert error.code == "state" and "finished" in error.detail, method
            await watcher.client.call("cancel", job=done)
            assert (await watcher.client.call("job", job=done))["state"] == "finished"
            slow = await watcher.submit("probe.steps", {"steps": 300, "delay_ms": 10})
            await watcher.reached(slow, "running")
            assert (await refusal(watcher, "forget", job=slow)).code == "state"
            assert (await refusal(watcher, "edit", job=slow, title="x")).code == "state"
            await watcher.client.call("cancel", job=slow)

    asyncio.run(scene())


def test_the_queue_is_ordered_edited_held_and_started(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            await watcher.client.call("hold", held=True)
            a, b, c = [await watcher.submit("probe.echo", {"text": name}) for name in "abc"]
            low = await watcher.submit("probe.echo", {"text": "low"}, priority="batch", title="mine")
            assert await waiting(watcher) == [a, b, c, low]
            await watcher.client.call("move", job=c, before=a)
            await watcher.client.call("move", job=a)
            assert await waiting(watcher) == [c, b, a, low]
            await watcher.client.call("edit", job=low, priority="interactive", params={"text": "new"})
            edited = await watcher.client.call("job", job=low)
            assert (edited["params"]["text"], edited["title"], edited["priority"]) == ("new", "mine", 0)
            await watcher.client.call("edit", job=a, params={"text": "other"})
            assert (await watcher.client.call("job", job=a))["title"] == "other"
            await watcher.client.call("pause", job=b)
            page = await watcher.client.call("jobs", states=["queued"], offset=1, limit=1)
            assert page["total"] == 3 and page["held"] and len(page["jobs"]) == 1
            copy = (await watcher.client.call("duplicate", job=a, params={"chunks": 2}))["job"]
            assert (await watcher.client.call("job", job=copy))["params"] == {
                **edited["params"],
                "text": "other",
                "chunks": 2,
            }
            assert not any("starting" in watcher.states(job) for job in (a, b, c, low))
        async with engine.life() as watcher:
            assert (await watcher.client.call("status"))["held"]
            await watcher.client.call("hold", held=False)
            await watcher.ended(copy)
            order = [e.job for e in watcher.events if e.kind == "job" and e.data["state"] == "running"]
            assert order == [c, low, a, copy] or order == [c, a, low, copy]
            assert (await watcher.client.call("job", job=b))["state"] == "paused"
            await watcher.client.call("resume", job=b)
            await watcher.ended(b)
            check_exactly_once(engine.paths, await watcher.jobs())

    asyncio.run(scene())


def test_a_running_job_pauses_resumes_and_lets_others_go_first(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            slow = await watcher.submit("probe.steps", {"steps": 100, "delay_ms": 10})
            await watcher.reached(slow, "running")
            await watcher.client.call("pause", job=slow)
            await watcher.reached(slow, "paused")
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"
            assert (await watcher.client.call("job", job=slow))["state"] == "paused"
            await watcher.client.call("resume", job=slow)
            assert (await watcher.ended(slow))["state"] == "finished"

    asyncio.run(scene())


def test_later_and_after_another(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            first = await watcher.submit("probe.steps", {"steps": 20, "delay_ms": 10}, priority="batch")
            after = await watcher.submit("probe.noop", depends_on=[first])
            later = await watcher.submit("probe.noop", not_before=time.time() + 1.0)
            assert (await watcher.ended(after))["started"] >= (await watcher.client.call("job", job=first))["ended"]
            done = await watcher.ended(later)
            assert done["started"] >= done["not_before"]

    asyncio.run(scene())


@pytest.mark.parametrize(
    "text",
    ["", "\0" * 100, "x" * 1_000_000, "🎈" * 1000 + "\r\n \u202e", "<!-- atelier:recipe\n{}\n-->\n"],
    ids=["empty", "NUL", "1 MB", "unusual", "a recipe's mark"],
)
def test_any_text_comes_back_as_it_went_in(engine, text):
    async def scene() -> None:
        async with engine.life() as watcher:
            done = await watcher.ended(await watcher.submit("probe.echo", {"text": text, "chunks": 1}))
            assert done["state"] == "finished", done["error"]
            assert [text_of(artifact["path"]) for artifact in done["artifacts"]] == [text]
            (item,) = await listed(watcher)
            whole = await watcher.client.call("library.get", id=item["id"])
            assert whole["text"] == text and whole["recipe"]["params"]["text"] == text
            assert (await watcher.client.call("recipe.read", path=item["path"]))["operation"] == "probe.echo"

    async def listed(watcher: Watcher) -> list[dict[str, Any]]:
        await watcher.until(lambda: any(e.kind == "library" and e.data["changed"] for e in watcher.events))
        return (await watcher.client.call("library.list"))["items"]

    asyncio.run(scene())


def test_half_a_character_is_refused_where_it_came_from(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            error = await refusal(watcher, "submit", operation="probe.echo", params={"text": "half \ud800"})
            assert error.code == "invalid" and error.problems["text"]  # type: ignore[attr-defined]
            done = await watcher.ended(await watcher.submit("probe.noop", title="half \ud800", origin="\udfff"))
            assert done["title"] == "half ?"

    asyncio.run(scene())


def test_results_are_listed_trashed_and_brought_back(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            done = await watcher.ended(await watcher.submit("probe.echo", {"text": "find me"}, title="A title"))
            (artifact,) = done["artifacts"]
            await watcher.until(
                lambda: any(e.kind == "library" and artifact["id"] in e.data["changed"] for e in watcher.events)
            )
            (item,) = (await watcher.client.call("library.list", query="find"))["items"]
            assert item["id"] == artifact["id"] and item["title"] == "A title"
            await watcher.client.call("library.trash", ids=[item["id"]])
            assert not Path(artifact["path"]).exists()
            assert (await watcher.client.call("library.list"))["total"] == 0
            await watcher.client.call("library.restore", ids=[item["id"]])
            assert Path(artifact["path"]).exists()
            result, frames = await watcher.client.call_with_frames("library.thumbnail", id=item["id"])
            assert (result, frames) == ({}, [])

    asyncio.run(scene())


def test_a_result_is_told_of_and_listed_while_its_job_goes_on_and_outlives_its_worker(engine):
    """Whoever comes in the middle of the job sees it too; what people have seen is not taken away."""

    async def scene() -> None:
        async with engine.life() as watcher:
            job = await watcher.submit("probe.steps", {"steps": 100_000, "delay_ms": 2, "save_at": 3})
            said = await watcher.until(lambda: next((e for e in watcher.events if e.kind == "saved"), None))
            artifact = said.data["artifact"]
            assert said.job == job and artifact["facts"] == {} and len(text_of(artifact["path"]).split()) == 3
            await watcher.until(
                lambda: any(e.kind == "library" and artifact["id"] in e.data["changed"] for e in watcher.events)
            )
            late = await Watcher.attach(engine)
            found = await late.client.call("job", job=job)
            assert (found["state"], found["live"]["artifacts"]) == ("running", [artifact])
            await late.client.close()
            (worker,) = (await watcher.client.call("status"))["workers"]
            os.kill(worker["pid"], signal.SIGKILL)
            await watcher.until(lambda: watcher.states(job).count("running") == 2)
            assert Path(artifact["path"]).exists()
            await watcher.until(lambda: len([e for e in watcher.events if e.kind == "saved"]) == 2)
            live = (await watcher.client.call("job", job=job))["live"]["artifacts"]
            assert [one["id"] for one in live] == [f"{job}-2"]
            await watcher.client.call("cancel", job=job)
            assert [one["id"] for one in (await watcher.ended(job))["artifacts"]] == [f"{job}-2"]
            assert (await watcher.client.call("library.list"))["total"] == 2

    asyncio.run(scene())


def test_models_are_found_weighed_refused_and_given_to_the_job(engine, tmp_path):
    models = tmp_path / "models"
    build_llama(models / "tiny-llama")

    async def scene() -> None:
        async with engine.life(ATELIER_MEMORY=str(1 << 30)) as watcher:
            await watcher.client.call("models.add_folder", path=str(models))
            found = await watcher.client.call("models")
            assert "tiny-llama" in [entry["id"] for entry in found["models"]]
            assert str(models) in [folder["path"] for folder in found["folders"]]
            weighed = await watcher.client.call(
                "fits", operation="text.generate", params={"prompt": "a", "model": "tiny-llama"}
            )
            assert weighed["fits"] == "yes" and 0 < weighed["estimate"]["total"] < weighed["budget"] <= 1 << 30
            error = await refusal(watcher, "submit", operation="probe.model", params={"model": "nobody"})
            assert error.code == "unknown-model" and "tiny-llama" in error.detail
            job = await watcher.submit("probe.model", {"model": str(models / "tiny-llama")})
            done = await watcher.ended(job)
            assert done["state"] == "finished" and done["models"] == ["tiny-llama"]
            await watcher.client.call("models.remove_folder", path=str(models))
            assert (await refusal(watcher, "submit", operation="probe.model", params={"model": "tiny-llama"})).code
        async with engine.life(ATELIER_MEMORY="1000") as watcher:
            await watcher.client.call("models.add_folder", path=str(models))
            asked = {"operation": "text.generate", "params": {"prompt": "a", "model": "tiny-llama"}}
            assert (await watcher.client.call("fits", **asked))["fits"] == "no"
            error = await refusal(watcher, "submit", **asked)
            assert error.code == "too-large" and "GiB" in error.detail and error.hint

    asyncio.run(scene())


def test_a_plugin_is_switched_off_and_on_again(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            await watcher.client.call("settings.set", key="disabled_plugins", value=["probe"])
            assert (await refusal(watcher, "submit", operation="probe.noop")).code == "plugin"
        async with engine.life() as watcher:
            assert (await refusal(watcher, "submit", operation="probe.noop")).code == "plugin"
            await watcher.client.call("settings.set", key="disabled_plugins", value=[])
            await watcher.client.call("prewarm", operation="probe.noop")
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"

    asyncio.run(scene())


def test_broken_settings_are_kept_said_and_not_in_the_way(engine):
    engine.paths.settings.write_text('{"library_folder": ')

    async def scene() -> None:
        async with engine.life() as watcher:
            (notice,) = await watcher.until(watcher.notices)
            assert "settings" in notice["title"] and "settings.broken.json" in notice["detail"]
            assert (await watcher.ended(await watcher.submit("probe.echo")))["state"] == "finished"
        assert (engine.paths.data / "settings.broken.json").exists()

    asyncio.run(scene())
