"""Bad input to the image plugin, through a real engine and a real worker, with tiny models.

Each attempt is refused or fails where it happened, in words; the worker lives, the next picture is the one that
was always made, and what was made before is still there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from plugins.image.steps import read_start
from studio.errors import StudioError
from studio.library import inputs
from studio.library.recipe import read_recipe
from tests import bad_pictures
from tests.image_engine_rig import Painter, build_models, painting, pixels, rung, said
from tests.worker.engine_rig import EngineProcess, Nursery

pytestmark = [
    pytest.mark.worker,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("bad")
    build_models(base / "models")
    bad_pictures.write(base / "pictures")
    return base


@pytest.fixture(scope="module")
def engine(base: Path, nursery: Nursery) -> Iterator[EngineProcess]:
    with painting(base, nursery) as engine:
        yield engine


@pytest.fixture
def scene(engine: EngineProcess, base: Path) -> Callable[[Callable[[Painter], Awaitable[None]]], None]:
    """Runs what a painter does; before and after it, the same good picture is painted."""

    async def whole(act: Callable[[Painter], Awaitable[None]]) -> None:
        async with engine.watched() as watcher:
            painter = Painter(watcher, base / "pictures" / "good.png", base / "pictures" / "mask.png")
            (first,) = await painter.paint()
            await act(painter)
            (last,) = await painter.paint()
            assert pixels(first) == pixels(last)
            jobs = await watcher.jobs()
            assert not [job["id"] for job in jobs.values() if job["deaths"]]
            for job in jobs.values():
                assert all(Path(one["path"]).is_file() for one in job["artifacts"])

    return lambda act: asyncio.run(whole(act))


def test_broken_pictures_are_refused_by_their_place(scene: Any, base: Path) -> None:
    async def act(painter: Painter) -> None:
        for name in bad_pictures.BROKEN:
            file = str(base / "pictures" / name)
            for what, operation, changes in (
                ("picture", "transform", {"picture": file}),
                ("mask", "inpaint", {"mask": file}),
                ("picture of a control", "generate", {"controls": [{"model": "control", "picture": file}]}),
            ):
                error = await painter.refusal(operation, **changes)
                assert error.code == "broken-picture", (name, what, error.to_dict())
                assert error.title == f"This {what} cannot be used", (name, error.to_dict())
                assert error.detail[0].isupper(), "the name of the kept copy says nothing to anybody"

    scene(act)


def test_unusual_pictures_are_painted_over(scene: Any, base: Path) -> None:
    async def act(painter: Painter) -> None:
        for name in bad_pictures.USABLE:
            file = str(base / "pictures" / name)
            await painter.paint("transform", picture=file, steps=1)
            await painter.paint(controls=[{"model": "control", "picture": file, "map": "canny"}], steps=1)
            if name != "strip.png":
                await painter.paint("inpaint", mask=file, steps=1)

    scene(act)


def test_a_mask_of_another_size_fits_when_its_shape_does(scene: Any, base: Path) -> None:
    async def act(painter: Painter) -> None:
        folder = base / "pictures"
        whole, small = [await painter.paint("inpaint", mask=str(folder / n)) for n in ("mask.png", "mask-32.png")]
        assert pixels(whole[0])[0] == pixels(small[0])[0] == (64, 64)
        for name, words in (("mask-wide.png", "64 × 24"), ("strip.png", "30,000 × 600"), ("black.png", "white")):
            error = await painter.refusal("inpaint", mask=str(folder / name))
            assert error.code == "mask" and words in error.detail, error.to_dict()

    scene(act)


MISFITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "LoRA of SDXL": ({"loras": [{"model": "lora-xl.safetensors"}]}, "lora-family", "width 96"),
    "the same on Flux": ({"model": "flux", "loras": [{"model": "lora-xl.safetensors"}]}, "lora-family", "Flux"),
    "a ControlNet as LoRA": ({"loras": [{"model": "control-xl"}]}, "lora", "control-xl"),
    "a word of another width": ({"inversions": [{"model": "wide-word.safetensors"}]}, "inversion", "48 numbers"),
    "a word for Flux": ({"model": "flux", "inversions": [{"model": "wide-word.safetensors"}]}, "inversion", "Flux"),
    "a LoRA that is not there": ({"loras": [{"model": "nowhere"}]}, "unknown-model", "nowhere"),
    "a checkpoint with missing keys": ({"model": "cut.safetensors"}, "incomplete", "mid_block"),
    "weights that are no numbers": ({"model": "nan"}, "nan", "after step 1"),
    "a decoder without numbers": ({"model": "nan-vae"}, "nan", "decoded picture"),
    "65 pixels": ({"width": 65, "height": 64}, "size", "72 × 64"),
    "no steps": ({"steps": 0}, "invalid", "steps"),
    "a gigantic picture": ({"width": 16384, "height": 16384}, "too-large", "GiB"),
    "more layers than there are": ({"clip_skip": 11}, "clip-skip", "3 layers"),
    "too many pictures": ({"count": 65}, "invalid", "count"),
    "a negative count": ({"count": -1}, "invalid", "count"),
    "a hundred kilobytes": ({"prompt": "a fox " * 17_000}, "invalid", "20000"),
    "NUL": ({"prompt": "a\0b"}, "invalid", "NUL"),
    "half a letter": ({"prompt": "a \ud800 b"}, "invalid", "unicode"),
    "half a letter in the negative": ({"negative": "a \ud800 b"}, "invalid", "unicode"),
    "a file elsewhere": ({"prompt": "__../../etc/passwd__"}, "wildcard", "folder"),
    "a billion combinations": ({"prompt": "{a|b|c|d|e|f|g|h}" * 10, "expand": "all"}, "prompt", "1073741824"),
    "a path as an input": ({"start_latents": "input:../../etc/passwd"}, "no-input", "passwd"),
    "a relative input": ({"start_latents": "../x"}, "no-input", "../x"),
    "an input that never was": ({"start_latents": "input:" + "0" * 64}, "no-input", "gone"),
    "a device": ({"start_latents": "/dev/zero"}, "no-input", "/dev/zero"),
}


def test_what_does_not_fit_is_said_with_its_name_or_number(scene: Any, base: Path) -> None:
    async def act(painter: Painter) -> None:
        for name, (changes, code, words) in MISFITS.items():
            error = await painter.refusal(**changes)
            assert error.code == code, (name, error.to_dict())
            assert words in said(error), (name, error.to_dict())
        picture = str(base / "pictures" / "good.png")
        error = await painter.refusal("outpaint", left=8192, top=8192, right=8192, bottom=8192)
        assert error.code == "frame" and "271 million" in error.detail, error.to_dict()
        strip = {"picture": picture, "left": 8192, "right": 8192}
        assert (await painter.refusal("outpaint", **strip)).code == "shape"
        for model in ("sd15", "flux"):
            controls = [{"model": "control-xl", "picture": picture}]
            error = await painter.refusal(model=model, controls=controls)
            assert error.code == "control-family" and "control-xl does not fit" in error.detail, error.to_dict()

    scene(act)


def test_hostile_prompts_are_painted_as_words(scene: Any) -> None:
    async def act(painter: Painter) -> None:
        for prompt in ("{" * 900 + "a" + "}" * 900, "(" * 900 + "a" + ")" * 900, "{a|" * 400 + "b", "", "BREAK " * 40):
            await painter.paint(prompt=prompt, steps=1)

    scene(act)


def test_memory_that_does_not_suffice_is_gone_round_or_told_in_numbers(scene: Any) -> None:
    async def act(painter: Painter) -> None:
        cells = 16 * 16  # of one picture's latents; with guidance the network sees two
        expected = [pixels(path) for path in await painter.paint(count=3, at_once=1)]
        await painter.limit(denoise_cells=2 * cells)
        paths = await painter.paint(count=3, at_once=3)
        assert [rung(path) for path in paths] == ["1 at once"] * 3
        assert [pixels(path) for path in paths] == expected
        await painter.limit(denoise_cells=10)
        error = await painter.refusal(count=2)
        assert error.code == "memory" and "GiB" in error.detail and "64 × 64 px" in error.detail, error.to_dict()
        await painter.limit(decode_cells=cells)
        paths = await painter.paint(count=2)
        assert [rung(path) for path in paths] == ["tiled VAE, one by one"] * 2
        (path,) = await painter.paint(width=128, height=64, steps=1)
        assert rung(path) == "tiled VAE"
        await painter.limit(decode_cells=5)
        error = await painter.refusal(count=2)
        assert error.code == "memory" and "GiB" in error.detail and "one by one" in error.detail, error.to_dict()
        await painter.limit()

    scene(act)


def test_a_step_to_go_on_from_is_believed_in_nothing(scene: Any, engine: EngineProcess, base: Path) -> None:
    async def act(painter: Painter) -> None:
        job = await painter.run(steps=4)
        good = engine.paths.steps / job["id"] / "0-2.safetensors"
        (resumed,) = await painter.paint(steps=4, start_latents=str(good))
        assert pixels(resumed)[0] == (64, 64)
        folder = base / "latents"
        folder.mkdir()
        for path in hostile_latents(good, folder):
            if path.stem in ("cut", "narrow", "text", "width0"):
                error = await painter.refusal(steps=4, start_latents=str(path))
                assert error.code == "latents", (path.name, error.to_dict())
            elif path.stem not in ("flat",):
                with pytest.raises(StudioError) as refused:
                    read_start(path)
                assert refused.value.code == "latents", path.name
        for changes in ({"model": "flux"}, {"width": 72, "height": 64}):
            error = await painter.refusal(steps=4, start_latents=str(good), **changes)
            assert error.code == "latents" and "cannot go on" in error.title, error.to_dict()

    scene(act)


def hostile_latents(good: Path, folder: Path) -> list[Path]:
    data = good.read_bytes()
    (folder / "cut.safetensors").write_bytes(data[:-100])
    (folder / "head.safetensors").write_bytes(data[:50])
    (folder / "endless.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    (folder / "text.safetensors").write_text("no latents\n" * 50)
    with safe_open(str(good), framework="pt") as file:
        mark = file.metadata()
    latents = load_file(good)["latents"]
    tensors = {
        "narrow": latents[..., :7], "flat": latents.flatten(), "whole": latents.int(), "nan": latents * float("nan")
    }  # fmt: skip
    for name, tensor in tensors.items():
        save_file({"latents": tensor.contiguous()}, folder / f"{name}.safetensors", mark)
    for name, value in (
        ("level", "nan"), ("level", "-5"), ("level", "1e30"), ("step", "-7"), ("step", "90"), ("steps", "0"),
        ("space", "outer"), ("width", "0"), ("width", "64000000"), ("height", "-64"), ("seed", "x"),
    ):  # fmt: skip
        save_file({"latents": latents}, folder / f"{name}{value}.safetensors", {**mark, name: value})
    save_file({"other": torch.zeros(1)}, folder / "other.safetensors", mark)
    save_file({"latents": latents}, folder / "unmarked.safetensors")
    return sorted(folder.iterdir())


def test_long_jobs_stop_at_once_and_keep_what_they_have(scene: Any) -> None:
    async def act(painter: Painter) -> None:
        watcher = painter.watcher
        await painter.limit(seconds_a_step=0.05)
        job = await painter.submit(steps=500)
        await watcher.client.call("cancel", job=job)
        ended = await watcher.ended(job)
        assert ended["state"] == "cancelled" and not ended["artifacts"]
        job = await painter.submit(steps=500, count=2, at_once=1)
        await watcher.until(lambda: [e for e in watcher.events if e.job == job and e.kind == "preview"], "a preview")
        await watcher.client.call("cancel", job=job)
        ended = await watcher.ended(job)
        assert ended["state"] == "cancelled"
        (kept,) = [Path(one["path"]) for one in ended["artifacts"]]
        await painter.limit()
        recipe = read_recipe(kept).params
        assert recipe["steering"][0]["do"] == "stop"
        (again,) = await painter.paint(**recipe)
        assert pixels(again) == pixels(kept)

    scene(act)


@pytest.mark.slow
def test_sixty_four_pictures_one_at_a_time(scene: Any) -> None:
    async def act(painter: Painter) -> None:
        paths = await painter.paint(count=64, at_once=1, steps=1)
        assert len({path.read_bytes() for path in paths}) == 64

    scene(act)


def test_what_goes_away_between_asking_and_painting(scene: Any, engine: EngineProcess, base: Path) -> None:
    async def act(painter: Painter) -> None:
        call = painter.watcher.client.call
        given, model = base / "pictures" / "given.png", base / "models" / "flux"
        given.write_bytes((base / "pictures" / "good.png").read_bytes())
        lost = base / "pictures" / "lost.png"
        lost.write_bytes((base / "pictures" / "mask.png").read_bytes())
        await call("hold", held=True)
        copied = await painter.submit("transform", picture=str(given))
        given.unlink()
        without_copy = await painter.submit("transform", picture=str(lost))
        kept = (await call("job", job=without_copy))["params"]["picture"]
        inputs.locate(engine.paths.inputs, kept).unlink()
        without_model = await painter.submit(model="flux")
        model.rename(base / "away")
        await call("hold", held=False)
        assert (await painter.watcher.ended(copied))["state"] == "finished"
        for job, code in ((without_copy, "no-input"), (without_model, "model-missing")):
            ended = await painter.watcher.ended(job)
            assert ended["state"] == "failed" and ended["error"]["code"] == code, ended["error"]
        (base / "away").rename(model)
        await painter.paint(model="flux", steps=1, width=32, height=32)

    scene(act)


def test_everything_made_on_the_way_is_in_the_library_once(scene: Any, engine: EngineProcess) -> None:
    async def act(painter: Painter) -> None:
        jobs = await painter.watcher.jobs()
        left = [path for path in engine.paths.data.rglob("*") if ".partial" in path.name]
        assert not left
        told = sorted(one["path"] for job in jobs.values() for one in job["artifacts"])
        assert sorted(map(str, engine.paths.library.glob("*/*.png"))) == told

    scene(act)
