"""Maps that a model sees in a picture: depth (Depth-Anything, DPT and their kind) and poses (ViTPose).

Owns the loading of these models from local folders in safetensors and the drawing of skeletons.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from studio.errors import StudioError
from studio.sdk.operation import JobContext, ModelInfo

METRIC = ("zoedepth", "glpn", "depth_pro")
"""Kinds of model that tell metres instead of nearness."""
SURE = 0.3
"""A joint that the model is less sure of is not drawn."""

# COCO's 17 joints as they come; OpenPose draws 18 with a neck between the shoulders, in these colours and limbs:
# Z. Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation", arXiv:1812.08008.
TO_OPENPOSE = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255),
    (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """A model that sees, with what prepares a picture for it."""

    model: torch.nn.Module
    processor: Any


def depth(picture: Image.Image, ctx: JobContext, ref: str) -> Image.Image:
    """Nearness, the nearest white and the farthest black."""
    with _reader(ctx, ref, "depth", "AutoModelForDepthEstimation") as reader, torch.inference_mode():
        ctx.stage("Looking at the depth")
        inputs = reader.processor(images=picture, return_tensors="pt").to(ctx.device)
        found = reader.model(pixel_values=inputs["pixel_values"].to(_dtype(reader))).predicted_depth
        config: Any = reader.model.config
        near = found.float().reshape(1, 1, *found.shape[-2:])
        if getattr(config, "depth_estimation_type", "") == "metric" or config.model_type in METRIC:
            near = 1 / near.clamp(min=1e-3)
        near = torch.nn.functional.interpolate(near, (picture.height, picture.width), mode="bicubic")[0, 0]
        if not bool(torch.isfinite(near).all()):
            raise StudioError("The depth model made no depths", "Its result holds NaN or infinity.", code="nan")
        span = float(near.max() - near.min())
        grey = ((near - near.min()) / span if span > 0 else torch.zeros_like(near)).mul(255).round()
    return Image.fromarray(grey.to(torch.uint8).cpu().numpy()).convert("RGB")


def pose(picture: Image.Image, ctx: JobContext, ref: str) -> Image.Image:
    """The skeleton of whoever is in the picture, the whole of which is taken for one person's frame."""
    with _reader(ctx, ref, "pose", "VitPoseForPoseEstimation") as reader, torch.inference_mode():
        ctx.stage("Looking at the pose")
        boxes = [[[0.0, 0.0, float(picture.width), float(picture.height)]]]
        inputs = reader.processor(images=picture, boxes=boxes, return_tensors="pt").to(ctx.device)
        found = reader.model(pixel_values=inputs["pixel_values"].to(_dtype(reader)))
        people = reader.processor.post_process_pose_estimation(found, boxes=boxes)[0]
    return skeletons(
        [(np.asarray(one["keypoints"]), np.asarray(one["scores"])) for one in people], picture.width, picture.height
    )


def skeletons(people: list[tuple[Any, Any]], width: int, height: int) -> Image.Image:
    """people: for each COCO's joints (17, 2) in pixels and how sure they are (17,). Drawn as OpenPose draws them."""
    drawn = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(drawn)
    thick = max(1, round(min(width, height) / 128))
    for joints, scores in people:
        places = _openpose(joints, scores)
        for (one, other), colour in zip(LIMBS, COLOURS, strict=False):
            if (a := places[one]) is not None and (b := places[other]) is not None:
                pen.line([a, b], fill=tuple(int(part * 0.6) for part in colour), width=thick * 2)  # type: ignore[arg-type]
        for place, colour in zip(places, COLOURS, strict=True):
            if place is not None:
                pen.ellipse([place[0] - thick, place[1] - thick, place[0] + thick, place[1] + thick], fill=colour)
    return drawn


def _openpose(joints: Any, scores: Any) -> list[tuple[float, float] | None]:
    def place(number: int) -> tuple[float, float] | None:
        return (float(joints[number][0]), float(joints[number][1])) if scores[number] >= SURE else None

    found = [None if number is None else place(number) for number in TO_OPENPOSE]
    left, right = place(5), place(6)
    if left and right:
        found[1] = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    return found


def _reader(ctx: JobContext, ref: str, what: str, kind: str) -> Any:
    if not ref:
        raise StudioError(
            f"A {what} map needs a model that sees it",
            "None is chosen.",
            f"Choose one in the map's settings (for {_example(what)}), or give the finished map as the picture.",
            code="no-map-model",
        )
    return ctx.models.use(ref, lambda info: _load(info, ctx, what, kind), key=f"map-{what}-{ctx.dtype}")


def _example(what: str) -> str:
    return "example Depth-Anything or DPT" if what == "depth" else "example ViTPose"


def _load(info: ModelInfo, ctx: JobContext, what: str, kind: str) -> Reader:
    import transformers

    ctx.stage(f"Loading {info.id}")
    if not Path(info.path).is_dir():
        raise StudioError(f"{info.id} is no {what} model", f"{info.path} is no folder.", code="no-map-model")
    dtype = getattr(torch, ctx.dtype)
    try:
        model = getattr(transformers, kind).from_pretrained(
            info.path,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=dtype,
            attn_implementation="eager",
        )
        processor = transformers.AutoImageProcessor.from_pretrained(
            info.path, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except (OSError, ValueError, KeyError) as error:
        raise StudioError(
            f"{info.id} cannot make a {what} map",
            " ".join(str(error).split())[:300],
            f"Choose a model for that, for {_example(what)}, in a folder with config.json and safetensors.",
            code="no-map-model",
        ) from None
    return Reader(model.to(ctx.device).eval(), processor)


def _dtype(reader: Reader) -> torch.dtype:
    return next(reader.model.parameters()).dtype
