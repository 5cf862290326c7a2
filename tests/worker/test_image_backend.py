"""image.generate and image.transform as a job sees them: files, recipes, passes, guides, branches; a real worker."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image

from plugins.image.backend import Generate, Transform
from plugins.image.loading import Loaded
from plugins.image.params import Control, Region
from plugins.image.params import Generate as Params
from plugins.image.params import Transform as TransformParams
from studio.errors import StudioError
from tests.image_rig import QUIET, Context, same, tiny
from tests.worker.worker_rig import worker_process

pytestmark = [pytest.mark.worker, *QUIET]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def sd(folder: Path) -> Loaded:
    return tiny("sd15", folder)


def generated(loaded: Loaded, ctx: Context, **values: Any) -> list[dict[str, Any]]:
    more = {"model": loaded.info.id, "prompt": "a fox", "steps": 3, "seed": 5, "width": 64, "height": 64}
    ctx.models.loaded[loaded.info.id] = loaded
    Generate().run(Params(**{**more, **values}), ctx)
    return ctx.saved


def picture(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_each_picture_says_what_makes_it_again(sd: Loaded, tmp_path: Path) -> None:
    ctx = Context(tmp_path)
    saved = generated(sd, ctx, count=3, prompt="a {red|blue|green} fox", negative="rain", at_once=1)
    assert [one["params"]["seed"] for one in saved] == [5, 6, 7]
    assert all(one["params"]["count"] == 1 and "{" not in one["params"]["expanded"][0] for one in saved)
    first = picture(saved[1]["path"])
    assert "Seed: 6" in first.info["parameters"]
    assert "Negative prompt: rain" in first.info["parameters"]
    again = Context(tmp_path, job="again")
    asked = {"prompt": "a {red|blue|green} fox", "negative": "rain", **saved[1]["params"]}
    assert same(first, picture(generated(sd, again, **asked)[0]["path"]))


def test_a_stopped_picture_is_made_again_from_its_recipe(sd: Loaded, tmp_path: Path) -> None:
    ctx = Context(tmp_path, orders={2: [{"item": -1, "do": "stop"}]})
    saved = generated(sd, ctx)[0]
    assert saved["facts"]["stopped_at"] == 2
    again = Context(tmp_path, job="again")
    assert same(picture(saved["path"]), picture(generated(sd, again, **saved["params"])[0]["path"]))


@pytest.mark.parametrize("by", ["lanczos", "latent"])
def test_a_second_pass_is_larger_and_counts_on(by: str, sd: Loaded, tmp_path: Path) -> None:
    ctx = Context(tmp_path)
    saved = generated(sd, ctx, count=2, hires=2, hires_by=by, hires_steps=4, at_once=1)
    assert [picture(one["path"]).size for one in saved] == [(128, 128), (128, 128)]
    assert ctx.boundaries == [(1, 3), (2, 3), (3, 3)] * 2 + [(1, 2), (2, 2)] * 2
    assert list(dict.fromkeys(ctx.rounds)) == [f"round {at}/4" for at in (1, 2, 3, 4)]
    # Its pictures have four times the pixels: what both passes do is 2 * 3 and 2 * 2 * 4.
    assert ctx.shares == pytest.approx([1 / 22, 2 / 22, 3 / 22, 4 / 22, 5 / 22, 6 / 22, 10 / 22, 14 / 22, 18 / 22, 1])
    assert [one["params"]["seed"] for one in saved] == [5, 6]


def test_a_branch_takes_the_size_of_its_step(sd: Loaded, tmp_path: Path) -> None:
    ctx = Context(tmp_path)
    whole = generated(sd, ctx, sampler="euler")[0]
    start = str(ctx.steps / "0-1.safetensors")
    branch = generated(sd, Context(tmp_path, job="b"), sampler="euler", start_latents=start, width=0, height=0)[0]
    assert same(picture(whole["path"]), picture(branch["path"]))


@pytest.mark.parametrize("family", ["sd15", "sdxl", "flux", "z-image"])
def test_a_transformed_picture_stays_nearer_the_less_it_may_change(
    family: str, sd: Loaded, folder: Path, tmp_path: Path
) -> None:
    loaded = sd if family == "sd15" else tiny(family, folder)
    Image.linear_gradient("L").convert("RGB").resize((64, 64)).save(tmp_path / "given.png")
    ctx = Context(tmp_path, loaded)
    for strength in (0.25, 1.0):
        Transform().run(
            TransformParams(
                model=family, prompt="a fox", picture=str(tmp_path / "given.png"), strength=strength, steps=4, seed=1,
                width=64, height=64,
            ),
            ctx,
        )  # fmt: skip
    assert [picture(one["path"]).size for one in ctx.saved] == [(64, 64)] * 2
    assert ctx.boundaries[0] == (1, 1)
    assert ctx.boundaries[-1] == (4, 4)
    assert not same(picture(ctx.saved[0]["path"]), picture(ctx.saved[1]["path"]))


def test_pictures_leave_a_transformed_batch(sd: Loaded, tmp_path: Path) -> None:
    Image.linear_gradient("L").convert("RGB").resize((64, 64)).save(tmp_path / "given.png")
    values: dict[str, Any] = {
        "model": "sd15", "prompt": "a fox", "picture": str(tmp_path / "given.png"), "steps": 6, "seed": 1, "width": 64,
        "height": 64, "count": 2, "sampler": "euler",
    }  # fmt: skip
    whole, steered = (
        Context(tmp_path, sd),
        Context(tmp_path, sd, orders={1: [{"item": 0, "do": "drop"}]}, job="steered"),
    )
    Transform().run(TransformParams(**values), whole)
    Transform().run(TransformParams(**values), steered)
    assert len(steered.saved) == 1
    ours, theirs = (picture(one["path"]).convert("L").tobytes() for one in (steered.saved[0], whole.saved[1]))
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 2


def test_controls_and_regions_take_part_and_stay_when_the_batch_shrinks(
    sd: Loaded, folder: Path, tmp_path: Path
) -> None:
    net = folder / "edges"
    made = ControlNetModel.from_unet(sd.parts["unet"], conditioning_embedding_out_channels=(16, 16, 32))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
    made.save_pretrained(net)
    Image.linear_gradient("L").convert("RGB").resize((64, 64)).save(tmp_path / "map.png")
    plain = generated(sd, Context(tmp_path), count=2, steps=4, sampler="euler")
    asked: dict[str, Any] = {
        "controls": [Control(model="edges", picture=str(tmp_path / "map.png"), end=0.75)],
        "regions": [Region(prompt="a ship", right=0.5)],
        "count": 2, "steps": 4, "sampler": "euler",
    }  # fmt: skip

    def context(job: str, **more: Any) -> Context:
        ctx = Context(tmp_path, sd, job=job, **more)
        ctx.models.files = {"edges": net}
        return ctx

    guided = generated(sd, context("guided"), **asked)
    shrunk = generated(sd, context("shrunk", orders={2: [{"item": 0, "do": "drop"}]}), **asked)
    assert not same(picture(plain[1]["path"]), picture(guided[1]["path"]))
    ours, theirs = (picture(one["path"]).tobytes() for one in (shrunk[0], guided[1]))
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 2


def test_sizes_that_do_not_fit_are_refused_in_words(sd: Loaded, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="multiples of 8"):
        generated(sd, Context(tmp_path), width=65)


def test_a_real_worker_paints_and_shares_its_steps(sd: Loaded, folder: Path, tmp_path: Path) -> None:
    config = json.loads((Path(sd.info.path) / "model_index.json").read_text())
    info = {
        "id": "sd15", "path": sd.info.path, "capability": "text-to-image", "family": config["_class_name"],
        "config": config,
    }  # fmt: skip

    def params(**more: Any) -> dict[str, Any]:
        values = {"model": "sd15", "prompt": "a fox", "steps": 4, "seed": 5, "width": 64, "height": 64}
        return Params(**{**values, **more}).model_dump(mode="json")

    with worker_process(tmp_path, env={"ATELIER_SHARE_STEPS": "1"}) as worker:
        data = str(worker.paths.data)
        asked = [params(count=2), params(seed=9, sampler="dpmpp-2m", prompt="a ship")]
        alone = []
        for values in asked:
            job = worker.run("image.generate", values, models={"sd15": info}, data=data)
            alone.append([Path(one["path"]).read_bytes() for one in worker.done(job).artifacts])
        jobs = [worker.run("image.generate", values, models={"sd15": info}, data=data) for values in asked]
        for job, expected in zip(jobs, alone, strict=True):
            found = worker.done(job).artifacts
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                (tmp_path / "other.png").write_bytes(other)
                assert same(picture(Path(one["path"])), picture(tmp_path / "other.png"))
