"""Broken model folders and prompts that are none, through a real engine and a real worker.

Each is refused or fails where it happened, in words; the model beside it writes on right after, and nothing of
the attempt lies in the library.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from studio.library.recipe import text_of
from tests import tiny_models
from tests.worker.engine_rig import EngineProcess, Nursery, Watcher, check_exactly_once, running

pytestmark = pytest.mark.worker
GOOD = "good"

# name: (how it is broken, codes that say so, words that must be there)
BROKEN: dict[str, tuple[Callable[[Path, Path], Path], set[str], str]] = {
    "truncated": (tiny_models.truncated, {"truncated"}, "model.safetensors"),
    "no-tokenizer": (tiny_models.without_tokenizer, {"missing-tokenizer", "no-tokenizer"}, "tokenizer"),
    "bad-tokenizer": (tiny_models.damaged_tokenizer, {"tokenizer", "truncated"}, "tokenizer"),
    "nan": (tiny_models.with_nan, {"not-finite"}, "NaN"),
    "incomplete": (tiny_models.incomplete, {"incomplete"}, "layers.1"),
    "pickled": (tiny_models.pickle_only, {"pickle", "unsafe-weights"}, "pytorch_model.bin"),
    "unheard-of": (tiny_models.unknown_architecture, {"unknown-architecture", "wrong-capability"}, "tomorrows-idea"),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    good = tiny_models.build_llama(folder / GOOD)
    for name, (spoil, _, _) in BROKEN.items():
        spoil(good, folder / name)
    tiny_models.with_code(good, folder / "with-code")
    return folder


@pytest.fixture(scope="module")
def engine(nursery: Nursery, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One for all: its worker imports what writes texts once."""
    with running(tmp_path_factory.mktemp("engine"), nursery, models) as engine:
        yield engine


def writing(model: str, **changes: Any) -> dict[str, Any]:
    return {"prompt": "Once", "model": model, "max_tokens": 6, "seed": 3, **changes}


async def refusal(watcher: Watcher, params: dict[str, Any]) -> StudioError:
    """The error of a text that cannot be written, whether the engine refuses it or its job fails."""
    try:
        job = await watcher.submit("text.generate", params)
    except StudioError as error:
        return error
    ended = await watcher.ended(job)
    assert ended["state"] == "failed" and not ended["artifacts"], ended
    assert ended["deaths"] == 0, "the worker died of it"
    return StudioError.from_dict(ended["error"])


def words_of(error: StudioError) -> str:
    return f"{error.title} {error.detail} {error.hint}"


async def writes(watcher: Watcher, model: str = GOOD) -> str:
    job = await watcher.ended(await watcher.submit("text.generate", writing(model)))
    assert job["state"] == "finished", job["error"]
    return text_of(job["artifacts"][0]["path"])


def test_broken_model_folders_say_what_is_wrong_and_the_good_one_goes_on(engine: EngineProcess, models: Path):
    async def scene() -> None:
        async with engine.watched() as watcher:
            listed = {model["id"]: model for model in (await watcher.client.call("models"))["models"]}
            assert set(BROKEN) | {GOOD, "with-code"} <= set(listed)
            assert listed[GOOD]["problem"] is None
            for name in ("truncated", "no-tokenizer", "pickled"):
                assert listed[name]["problem"], f"{name} is listed as if it could be used"
            expected = await writes(watcher)
            for name, (_, codes, words) in BROKEN.items():
                error = await refusal(watcher, writing(name))
                assert error.code in codes, (name, error.to_dict())
                assert words in words_of(error), (name, error.to_dict())
                assert await writes(watcher) == expected, f"after {name}"
            check_exactly_once(engine.paths, await watcher.jobs())

    asyncio.run(scene())
    assert not list(models.rglob("pickle-was-read"))


def test_code_beside_the_weights_is_never_run(engine: EngineProcess):
    async def scene() -> None:
        async with engine.watched() as watcher:
            assert await writes(watcher, "with-code") == await writes(watcher)

    asyncio.run(scene())


def test_a_model_that_goes_away_after_it_was_listed(engine: EngineProcess, tmp_path: Path):
    folder = tmp_path / "models"
    tiny_models.build_gpt2(folder / "here")

    async def scene() -> None:
        async with engine.watched() as watcher:
            await watcher.client.call("models.add_folder", path=str(folder))
            await watcher.client.call("hold", held=True)
            waiting = await watcher.submit("text.generate", writing("here"))
            (folder / "here").rename(tmp_path / "gone")
            await watcher.client.call("hold", held=False)
            ended = await watcher.ended(waiting)
            assert ended["state"] == "failed" and "here" in ended["error"]["detail"], ended["error"]
            await writes(watcher)
            (tmp_path / "gone").rename(folder / "here")
            await watcher.client.call("models.rescan")
            await writes(watcher, "here")

    asyncio.run(scene())


PROMPTS = {
    "empty": ("", {"empty", "invalid"}, "empty"),
    "NUL": ("a\0b", {"invalid", "not-text"}, "NUL"),
    "surrogate": ("fox \ud800", {"invalid", "not-text", "bad-request"}, "surrogate"),
    "a megabyte": ("fox " * 250_000, {"too-long"}, "1,000,000 characters"),
    "a megabyte of one letter": ("x" * 1_000_000, {"too-long"}, "1,000,000 characters"),
    "a megabyte of emoji": ("🦊" * 250_000, {"too-long"}, "250,000 characters"),
}


def test_prompts_that_are_none_say_so_and_the_next_one_is_written(engine: EngineProcess):
    async def scene() -> None:
        async with engine.watched() as watcher:
            expected = await writes(watcher)
            for name, (prompt, codes, words) in PROMPTS.items():
                error = await refusal(watcher, writing(GOOD, prompt=prompt))
                said = words_of(error)
                assert error.code in codes, (name, error.to_dict())
                assert words in said and len(said) < 2_000, (name, said[:3_000])
                assert await writes(watcher) == expected, f"after {name}"
            jobs = await watcher.jobs()
            check_exactly_once(engine.paths, jobs)
        await engine.stop()
        engine.start()
        async with engine.watched() as watcher:  # what was kept of them does not stop the next start
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"
            assert set(jobs) < set(await watcher.jobs())

    asyncio.run(scene())
