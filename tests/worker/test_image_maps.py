"""Maps for ControlNets on pictures whose edges, depths and joints are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from plugins.image import maps, maps_seen
from plugins.image.backend_map import Map
from plugins.image.params_more import Map as Params
from studio.errors import StudioError
from studio.sdk.artifact import Kind
from tests.guides_rig import Context, Models

pytestmark = pytest.mark.worker
SIDE = 64


def disc(radius: float = 20, inside: int = 230, outside: int = 20) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    grey = np.where(np.hypot(x, y) < radius, inside, outside).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def test_canny_finds_a_discs_edge_where_it_is_one_pixel_thin_and_closed() -> None:
    from scipy import ndimage

    edges = maps.canny(disc(), 100, 200)
    y, x = np.nonzero(edges)
    away = np.hypot(x - (SIDE - 1) / 2, y - (SIDE - 1) / 2)
    assert away.min() >= 19 and away.max() <= 21
    assert 2 * np.pi * 20 * 0.8 < edges.sum() < 2 * np.pi * 20 * 1.3
    assert ndimage.label(~edges)[1] == 2  # inside and outside, with no gap between
    assert ndimage.label(edges, structure=np.ones((3, 3)))[1] == 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_straight_step_gives_one_line(turned: bool) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = 255
    edges = maps.canny(pixels.transpose(1, 0, 2) if turned else pixels, 100, 200)
    edges = edges.T if turned else edges
    columns = np.flatnonzero(edges.any(0))
    assert len(columns) == 1 and columns[0] in (15, 16)
    assert edges[:, columns[0]].all()


def test_weak_edges_stay_only_where_they_hang_on_strong_ones() -> None:
    pixels = np.full((40, 40, 3), 100, np.uint8)
    pixels[:, 20:] = 130  # a step of 30, far from 300 by Sobel
    assert not maps.canny(pixels, 20, 300).any()
    pixels[:, 20:] = np.linspace(130, 255, 40, dtype=np.uint8)[:, None, None]  # the same line, stronger and stronger
    joined = maps.canny(pixels, 20, 300)
    assert joined[:, 18:22].any(1).all()
    assert not maps.canny(np.full((20, 20, 3), 77, np.uint8), 0, 1).any()
    assert (maps.canny(pixels, 300, 20) == joined).all()  # thresholds in the wrong order


def test_scribble_draws_thick_lines_near_edges_and_nothing_on_plain_ground() -> None:
    lines = maps.scribble(disc())
    y, x = np.nonzero(lines)
    away = np.hypot(x - (SIDE - 1) / 2, y - (SIDE - 1) / 2)
    assert away.min() > 14 and away.max() < 30
    assert lines.sum() > 2 * maps.canny(disc(), 100, 200).sum()
    assert not maps.scribble(np.full((32, 32, 3), 128, np.uint8)).any()


def test_maps_are_pictures_of_the_same_size() -> None:
    picture = Image.fromarray(disc()).resize((48, 40))
    for kind in ("canny", "scribble"):
        made = maps.make(kind, picture, Context(Models()))
        assert (made.size, made.mode) == ((48, 40), "RGB")
        assert set(np.unique(np.asarray(made))) == {0, 255}


# What models see -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def depth_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen") / "depth"
    torch.manual_seed(1)
    config = transformers.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    transformers.DPTForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pose_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen") / "pose"
    torch.manual_seed(1)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=(32, 32), patch_size=(16, 16), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        mlp_ratio=2, out_indices=[2],
    )  # fmt: skip
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=True)
    transformers.VitPoseForPoseEstimation(config).save_pretrained(folder)
    VitPoseImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_depth_is_seen_by_a_model_from_a_folder(depth_model: Path) -> None:
    models = Models(depth_model)
    picture = Image.fromarray(disc()).resize((48, 40))
    made = maps.make("depth", picture, Context(models), reader="depth")
    pixels = np.asarray(made)
    assert (made.size, pixels.min(), pixels.max()) == ((48, 40), 0, 255)
    maps.make("depth", picture, Context(models), reader="depth")
    assert models.loads == ["depth"]


def test_pose_is_seen_by_a_model_from_a_folder(pose_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps_seen, "SURE", -10.0)  # a model that knows nothing is sure of nothing
    made = maps.make("pose", Image.fromarray(disc()), Context(Models(pose_model)), reader="pose")
    assert made.size == (SIDE, SIDE)
    assert np.asarray(made).any()


def test_without_a_model_or_with_another_the_reason_is_said(
    depth_model: Path, pose_model: Path, tmp_path: Path
) -> None:
    picture = Image.fromarray(disc())
    ctx = Context(Models(depth_model, pose_model, tmp_path))
    for kind, reader, said in (
        ("depth", "", "needs a model"),
        ("pose", "", "needs a model"),
        ("depth", "pose", "cannot make a depth map"),
        ("depth", tmp_path.name, "cannot make a depth map"),
    ):
        with pytest.raises(StudioError, match=said):
            maps.make(kind, picture, ctx, reader=reader)


def test_a_skeleton_is_drawn_in_openposes_colours_at_its_joints() -> None:
    joints = np.array([[10.0 + 6 * (n % 4), 10.0 + 10 * (n // 4)] for n in range(17)])
    drawn = np.asarray(maps_seen.skeletons([(joints, np.ones(17))], 64, 64))
    nose, neck = joints[0], (joints[5] + joints[6]) / 2
    assert tuple(drawn[int(nose[1]), int(nose[0])]) == maps_seen.COLOURS[0]
    assert tuple(drawn[int(neck[1]), int(neck[0])]) == maps_seen.COLOURS[1]
    assert not np.asarray(maps_seen.skeletons([(joints, np.zeros(17))], 64, 64)).any()


def test_the_operation_saves_a_png(tmp_path: Path) -> None:
    Image.fromarray(disc()).save(tmp_path / "disc.png")
    saved: list[tuple[str, Kind, str]] = []

    class Saving(Context):
        def save_file(self, suffix: str, kind: Kind, write: Any, *, media: str) -> None:
            write(tmp_path / f"map{suffix}")
            saved.append((suffix, kind, media))

    Map().run(Params(picture=str(tmp_path / "disc.png")), Saving(Models()))
    assert saved == [(".png", Kind.IMAGE, "image/png")]
    with Image.open(tmp_path / "map.png") as made:
        assert made.size == (SIDE, SIDE)
