"""Pictures stopped, dropped and saved while they are painted; jobs that take turns; memory and numbers that fail."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from plugins.image.decoding import decode, in_float32
from plugins.image.layout import Layout
from plugins.image.loading import Loaded
from plugins.image.painting import Finished, paint
from plugins.image.params import Steered
from plugins.image.sampler_table import samplers_for, schedules_for
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled
from tests.image_rig import QUIET, Context, painted, plan, same, tiny
from tests.text_context import Turns

pytestmark = [pytest.mark.worker, *QUIET]
SHORT = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def sd(folder: Path) -> Loaded:
    return tiny("sd15", folder)


@pytest.fixture(scope="module")
def flux(folder: Path) -> Loaded:
    return tiny("flux", folder)


def order(item: int, do: str) -> list[dict[str, Any]]:
    return [{"item": item, "do": do}]


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp-2m", "unipc", "pndm", "lms", "dpmpp-sde", "deis", "ipndm"])
def test_the_others_go_on_as_if_nothing_had_happened_when_pictures_leave(
    sampler: str, sd: Loaded, tmp_path: Path
) -> None:
    wanted = plan(1, 2, 3, sampler=sampler, steps=6)
    whole = painted(sd, Context(tmp_path), wanted)
    ctx = Context(tmp_path, orders={2: order(0, "stop"), 4: order(1, "drop")}, job="steered")
    steered = painted(sd, ctx, wanted)
    assert [(one.number, one.facts.get("stopped_at")) for one in steered] == [(0, 2), (2, None)]
    assert torch.allclose(steered[1].latents, whole[2].latents, atol=1e-3)
    assert ctx.boundaries == [(at, 6) for at in range(1, 7)] and set(ctx.rounds) == {"round 1/1"}
    assert not (ctx.steps / "1-5.safetensors").exists()


def test_flow_models_shrink_too(flux: Loaded, tmp_path: Path) -> None:
    whole = painted(flux, Context(tmp_path), plan(1, 2, sampler="dpmpp-2m"))
    ctx = Context(tmp_path, orders={2: order(0, "stop")})
    steered = painted(flux, ctx, plan(1, 2, sampler="dpmpp-2m"))
    assert torch.allclose(steered[1].latents, whole[1].latents, atol=1e-3)


def test_steering_in_a_recipe_does_the_same_again(sd: Loaded, tmp_path: Path) -> None:
    live = painted(sd, Context(tmp_path, orders={3: order(-1, "stop")}), plan(1, steps=6))
    again = painted(sd, Context(tmp_path), plan(1, steps=6, steering=(Steered(step=3, item=0, do="stop"),)))
    assert same(live[0].image, again[0].image)
    assert live[0].facts == again[0].facts


def test_saving_leaves_the_picture_in_work(sd: Loaded, tmp_path: Path) -> None:
    done = painted(sd, Context(tmp_path, orders={1: order(1, "save")}), plan(1, 2))
    assert [(one.number, one.facts.get("stopped_at")) for one in done] == [(1, 1), (0, None), (1, None)]
    assert [one.facts.get("went_on", False) for one in done] == [True, False, False]


@pytest.mark.parametrize("may", [True, False])
def test_a_cancelled_job_saves_what_there_is_where_it_may_compute(may: bool, sd: Loaded, tmp_path: Path) -> None:
    ctx, done = Context(tmp_path, stop=3), list[Finished]()
    ctx.may_finish = may
    with pytest.raises(JobCancelled):
        paint(sd, ctx, plan(1, 2), done.append)
    assert [(one.number, one.facts["stopped_at"]) for one in done] == ([(0, 3), (1, 3)] if may else [])


def test_pictures_that_have_not_begun_can_be_left_out(sd: Loaded, tmp_path: Path) -> None:
    done = painted(sd, Context(tmp_path, orders={1: order(2, "drop")}), plan(1, 2, 3, at_once=1))
    assert [one.number for one in done] == [0, 1]


def test_a_curve_that_the_models_own_sampler_does_not_know_is_eulers(sd: Loaded, tmp_path: Path) -> None:
    auto = painted(sd, Context(tmp_path), plan(1, schedule="karras"))[0]
    assert auto.facts["noise_scheduler"] == "EulerDiscreteScheduler"
    assert same(auto.image, painted(sd, Context(tmp_path), plan(1, sampler="euler", schedule="karras"))[0].image)


def test_nothing_is_saved_when_all_are_dropped(sd: Loaded, tmp_path: Path) -> None:
    assert painted(sd, Context(tmp_path, orders={2: order(-1, "drop")}), plan(1, 2)) == []


@pytest.mark.parametrize("sampler", samplers_for("noise"))
def test_every_sampler_paints_with_every_schedule_it_goes_with(sampler: str, sd: Loaded, tmp_path: Path) -> None:
    made = set()
    for schedule in ("auto", *schedules_for(sampler, "noise")):
        done = painted(
            sd,
            Context(tmp_path),
            plan(4, sampler=sampler, schedule=schedule, steps=4, width=32, height=32, keep_steps=False),
        )
        assert done[0].latents is not None
        made.add(float(done[0].latents.double().sum()))
    assert len(made) >= min(2, len(schedules_for(sampler, "noise")))


@pytest.mark.parametrize("sampler", samplers_for("flow"))
def test_every_sampler_of_flow_models_paints(sampler: str, flux: Loaded, tmp_path: Path) -> None:
    for schedule in ("auto", *schedules_for(sampler, "flow")):
        done = painted(
            flux, Context(tmp_path), plan(4, sampler=sampler, schedule=schedule, width=32, height=32, keep_steps=False)
        )
        assert torch.isfinite(done[0].latents).all()
    shifted = painted(flux, Context(tmp_path), plan(4, sampler=sampler, shift=9.0, keep_steps=False))
    assert not torch.equal(done[0].latents, shifted[0].latents)


def test_what_does_not_go_together_is_refused_with_what_does(sd: Loaded, flux: Loaded, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="euler, euler-a") as refused:
        painted(flux, Context(tmp_path), plan(1, sampler="ddim"))
    assert refused.value.code == "sampler"
    with pytest.raises(StudioError, match="normal, simple, sgm-uniform"):
        painted(sd, Context(tmp_path), plan(1, sampler="ddim", schedule="karras"))
    with pytest.raises(StudioError, match="no shift"):
        painted(sd, Context(tmp_path), plan(1, shift=3.0))
    with pytest.raises(StudioError, match="ddim, tcd"):
        painted(sd, Context(tmp_path), plan(1, sampler="euler", eta=0.5))


@pytest.mark.parametrize("sampler", ["euler-a", "dpmpp-2m"])
def test_two_jobs_that_take_turns_paint_what_each_paints_alone(sampler: str, sd: Loaded, tmp_path: Path) -> None:
    plans = {"one": plan(1, 2, sampler=sampler), "two": plan(9, prompt="a blue ship", steps=6, guidance=2.0)}
    alone = {name: painted(sd, Context(tmp_path, job=name), wanted) for name, wanted in plans.items()}
    turns, together = Turns(list(plans)), {name: list[Finished]() for name in plans}
    failed: list[BaseException] = []

    def run(name: str) -> None:
        turns.wait(name)
        try:
            paint(sd, Context(tmp_path, turns=turns, job=name), plans[name], together[name].append)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failed.append(error)
        finally:
            turns.leave(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert turns.order[:6] == ["one", "two"] * 3
    for name, done in together.items():
        assert all(same(one.image, other.image) for one, other in zip(done, alone[name], strict=True))


def test_memory_that_does_not_suffice_halves_the_batch(
    sd: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet = sd.parts["unet"]
    expected = painted(sd, Context(tmp_path), plan(1, 2, 3, 4, at_once=1))
    forward = unet.forward

    def small(sample: torch.Tensor, *args: Any, **more: Any) -> Any:
        if sample.shape[0] > 2:
            raise RuntimeError(SHORT)
        return forward(sample, *args, **more)

    monkeypatch.setattr(unet, "forward", small)
    ctx = Context(tmp_path)
    done = painted(sd, ctx, plan(1, 2, 3, 4))
    assert [one.number for one in done] == [0, 1, 2, 3]
    assert ctx.facts["rung"] == "1 at once"
    assert ctx.rounds == [f"picture {at}/4" for at in (1, 2, 3, 4) for _ in range(4)] and ctx.shares[-1] == 1
    assert all(same(one.image, other.image) for one, other in zip(done, expected, strict=True))
    monkeypatch.setattr(unet, "forward", lambda *args, **more: (_ for _ in ()).throw(RuntimeError(SHORT)))
    with pytest.raises(StudioError, match="64 × 64") as refused:
        painted(sd, Context(tmp_path), plan(1))
    assert refused.value.code == "memory"
    assert "GiB" in refused.value.detail


def test_decoding_goes_down_its_rungs(sd: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vae, ctx = sd.parts["vae"], Context(tmp_path)
    layout = Layout.of(sd, 64, 64)
    latents = torch.randn(2, 4, layout.high, layout.wide, generator=torch.Generator().manual_seed(1))
    plain, whole = vae.decode, decode(sd, layout, latents, ctx.note)
    seen: list[tuple[bool, int]] = []

    def short(fits: Any) -> Any:
        def run(z: torch.Tensor, *args: Any, **more: Any) -> Any:
            seen.append((vae.use_tiling, len(z)))
            if not fits(vae.use_tiling, len(z)):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
            return plain(z, *args, **more)

        return run

    monkeypatch.setattr(vae, "decode", short(lambda tiles, count: tiles and count == 1))
    pictures = decode(sd, layout, latents, ctx.note)
    assert seen == [(False, 2), (True, 2), (True, 1), (True, 1)]
    assert ctx.facts["rung"] == "tiled VAE, one by one"
    assert [picture.size for picture in pictures] == [picture.size for picture in whole]
    assert not vae.use_tiling
    monkeypatch.setattr(vae, "decode", short(lambda tiles, count: False))
    with pytest.raises(StudioError, match="64 × 64") as refused:
        decode(sd, layout, latents, ctx.note)
    assert refused.value.code == "memory"


def test_numbers_that_are_none_are_told_with_their_step(
    sd: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet = sd.parts["unet"]
    forward, calls = unet.forward, []

    def broken(sample: torch.Tensor, *args: Any, **more: Any) -> Any:
        calls.append(1)
        given = forward(sample, *args, **more)
        return (given[0] * float("nan"),) if len(calls) == 3 else given

    monkeypatch.setattr(unet, "forward", broken)
    with pytest.raises(StudioError, match="after step 3") as refused:
        painted(sd, Context(tmp_path), plan(1, sampler="euler"))
    assert refused.value.code == "nan"
    monkeypatch.undo()
    vae = sd.parts["vae"]
    plain = vae.decode
    monkeypatch.setattr(vae, "decode", lambda *args, **more: (plain(*args, **more)[0] / 0,))
    with pytest.raises(StudioError, match="decoded picture"):
        painted(sd, Context(tmp_path), plan(1))


def test_halves_that_overflow_are_decoded_in_float32(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny("sd15", folder / "half")
    vae, ctx = loaded.parts["vae"].to(torch.bfloat16), Context(tmp_path)
    plain = vae.decode

    def run(z: torch.Tensor, **more: Any) -> Any:
        given = plain(z, **more)[0]
        return (given if z.dtype == torch.float32 else given * float("inf"),)

    monkeypatch.setattr(vae, "decode", run)
    layout = Layout.of(loaded, 64, 64)
    latents = torch.zeros(1, 4, layout.high, layout.wide, dtype=torch.bfloat16)
    assert len(decode(loaded, layout, latents, ctx.note)) == 1
    assert ctx.facts["rung"] == "VAE in float32"
    assert vae.dtype == torch.bfloat16
    with in_float32(vae):
        assert vae.dtype == torch.float32
    assert replace(layout, high=1).high == 1


def test_pictures_leave_a_repainted_batch_and_the_others_go_on_as_if_nothing_had_happened(
    sd: Loaded, tmp_path: Path
) -> None:
    """Its pipeline blends the old picture in at every step: with the same noise as from the beginning."""
    call = {"image": Image.linear_gradient("L").convert("RGB").resize((64, 64)), "strength": 0.9}
    call["mask_image"] = Image.radial_gradient("L").resize((64, 64))
    for sampler in ("euler-a", "dpmpp-2m"):
        wanted = plan(1, 2, 3, use="inpaint", call=call, sampler=sampler, steps=6)
        whole = painted(sd, Context(tmp_path), wanted)
        ctx = Context(tmp_path, orders={2: order(0, "stop"), 3: order(1, "drop")}, job=f"steered-{sampler}")
        steered = painted(sd, ctx, wanted)
        assert [(one.number, "stopped_at" in one.facts) for one in steered] == [(0, True), (2, False)]
        assert torch.allclose(steered[1].latents, whole[2].latents, atol=1e-3)
        assert (ctx.steps / "0-3.safetensors").exists() and not (ctx.steps / "1-5.safetensors").exists()
    assert painted(sd, Context(tmp_path, orders={2: order(-1, "drop")}), wanted) == []
