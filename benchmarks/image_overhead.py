"""What a step costs more in the studio than in a bare diffusers loop: `python -m benchmarks.image_overhead`.

A Stable Diffusion 1.5 of its real size (860 M parameters) with random weights paints with diffusers' own call and
as a job: image.generate with the worker's context, previews, step files and a channel that somebody reads. The
two take turns after every step, so that whatever else the machine does slows both. Compared are the steps; the
time inside the studio's own step boundary, measured as it runs, is the other figure.
"""

import argparse
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.rig import report
from plugins.image import denoise
from plugins.image.backend import Generate
from plugins.image.families import of_pipeline
from plugins.image.loading import Loaded
from plugins.image.params import Generate as Params
from studio.hub.hashes import HashCache
from studio.sdk.operation import ModelInfo
from studio.wire.channel import BlockingChannel, Closed
from studio.wire.messages import Run
from studio.worker.baton import Baton
from studio.worker.context import WorkerContext
from studio.worker.devices import Device
from studio.worker.outbox import Outbox
from studio.worker.provenance import Hashes
from tests.image_rig import Models
from tests.text_context import Turns
from tests.tiny_pipelines import clip_tokenizer

PROMPT = "a lighthouse in a storm, oil on canvas"
MOST_PCT = 3.0


def real_size(device: str, dtype: torch.dtype) -> Loaded:
    """The networks of Stable Diffusion 1.5 by their published shapes; the weights are noise."""
    from diffusers import AutoencoderKL, UNet2DConditionModel  # type: ignore[attr-defined]
    from transformers import CLIPTextConfig, CLIPTextModel

    clip = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12)
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512), layers_per_block=2,
        )  # fmt: skip
    parts: dict[str, Any] = {"unet": unet, "vae": vae}
    for part in parts.values():
        part.to_empty(device=device).to(dtype)
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
    parts["text_encoder"] = CLIPTextModel(clip).to(device, dtype)
    parts["tokenizer"] = clip_tokenizer()
    for part in (unet, vae, parts["text_encoder"]):
        part.eval().requires_grad_(False)
    scheduler = {
        "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    }  # fmt: skip
    name = "StableDiffusionPipeline"
    info = ModelInfo("random-sd15", "", "text-to-image", name, config={"_class_name": name})
    return Loaded(info, of_pipeline(name, {}), parts, "PNDMScheduler", scheduler, device, dtype)


class Steps:
    """One of the two that take turns. seconds: of its steps; inside: of that, in its step boundary."""

    def __init__(self, name: str, turns: Turns):
        self.name, self._turns = name, turns
        self.seconds: list[float] = []
        self.inside: list[float] = []
        self._began = 0.0

    def begin(self) -> None:
        self._turns.wait(self.name)
        self._began = time.perf_counter()

    def end(self, inside: float = 0.0) -> None:
        self.seconds.append(time.perf_counter() - self._began)
        self.inside.append(inside)
        self._turns.boundary(self.name)
        self._began = time.perf_counter()


def bare(loaded: Loaded, steps: int, side: int, told: Steps) -> None:
    """diffusers alone."""
    told.begin()
    pipeline = loaded.pipeline("text", loaded.make_scheduler())

    def ended(_pipeline: Any, _step: int, _at: Any, values: dict[str, Any]) -> dict[str, Any]:
        told.end()
        return values

    pipeline(
        PROMPT, num_inference_steps=steps, width=side, height=side, callback_on_step_end=ended,
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip


class Studio:
    """A worker's context whose messages somebody reads, job after job."""

    def __init__(self, loaded: Loaded, folder: Path):
        self._loaded, self._folder, self._count = loaded, folder, 0
        ours, theirs = socket.socketpair()
        self._outbox, self._other = Outbox(BlockingChannel(ours)), BlockingChannel(theirs)
        self.previews = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                self.previews += bool(getattr(self._other.receive(), "frames", None))
        except Closed:
            return

    def paint(self, steps: int, side: int, told: Steps) -> None:
        told.begin()
        self._count += 1
        job = f"bench{self._count}"
        params = Params(model="random-sd15", prompt=PROMPT, steps=steps, width=side, height=side, seed=1)
        values = params.model_dump(mode="json")
        run = Run(
            job, "image.generate", values, {}, {}, str(self._folder), "",
            {"operation": "image.generate", "params": values}, data=str(self._folder),
        )  # fmt: skip
        baton = Baton(lambda job: None, lambda job, paused: None)
        turn = baton.enter(job, 0)
        assert turn is not None
        baton.acquire(turn)
        models: Any = Models(self._loaded)
        device = Device(self._loaded.device, str(self._loaded.dtype).removeprefix("torch."), {})
        ctx = WorkerContext(run, turn, baton, self._outbox, device, models, Hashes(HashCache()))
        plain = denoise.Batch._on_step

        def measured(batch: Any, *args: Any) -> Any:
            began = time.perf_counter()
            given = plain(batch, *args)
            told.end(time.perf_counter() - began)
            return given

        denoise.Batch._on_step = measured
        try:
            Generate().run(params, ctx)
        finally:
            denoise.Batch._on_step = plain
            baton.release(turn)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=14)
    options.add_argument("--side", type=int, default=256)
    chosen = options.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded = real_size(device, torch.float16 if device == "cuda" else torch.float32)
    turns = Turns(["bare", "studio"])
    plain, ours = Steps("bare", turns), Steps("studio", turns)
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(loaded, Path(folder))
        jobs = [(bare, (loaded, chosen.steps, chosen.side, plain)), (studio.paint, (chosen.steps, chosen.side, ours))]
        threads = [
            threading.Thread(target=_to_the_end, args=(turns, told, job, args))
            for told, (job, args) in zip((plain, ours), jobs, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        previews = studio.previews
    # The first two steps warm up: threads, memory, the fitting of the previews.
    pairs = list(zip(plain.seconds, ours.seconds, strict=True))[2:]
    overhead = 100 * (statistics.median(b / a for a, b in pairs) - 1)
    own = 100 * sum(ours.inside[2:]) / sum(b for _, b in pairs)
    size = sum(p.numel() for p in loaded.parts["unet"].parameters()) / 1e6
    step_ms = 1000 * statistics.median(a for a, _ in pairs)
    report(
        f"A step of a UNet of {size:.0f} M parameters at {chosen.side} px on {device}, {previews} previews",
        [
            ("bare diffusers", f"{step_ms:.1f} ms", ""),
            ("in the studio", f"{1000 * statistics.median(b for _, b in pairs):.1f} ms", ""),
            ("overhead, median of pairs", f"{overhead:.2f} %", f"at most {MOST_PCT:g} %"),
            ("inside the studio's step boundary", f"{own:.2f} %", f"at most {MOST_PCT:g} %"),
        ],
        {"overhead_pct": overhead, "own_share_pct": own, "step_ms": step_ms, "side": chosen.side, "device": device},
    )


def _to_the_end(turns: Turns, told: Steps, job: Callable[..., None], args: tuple[Any, ...]) -> None:
    try:
        job(*args)
    finally:
        turns.leave(told.name)


if __name__ == "__main__":
    main()
