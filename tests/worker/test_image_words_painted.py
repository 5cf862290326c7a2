"""The prompt language through the whole backend: wildcards, weights, regions and learned words in real pictures."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from plugins.image.backend import Generate
from plugins.image.inversion import read
from plugins.image.params import Generate as Params
from plugins.image.params import Inversion, Region
from plugins.image.plans import plan_items
from studio.errors import StudioError
from studio.sdk.operation import ModelInfo
from tests.image_rig import QUIET, Context, tiny
from tests.words_rig import runs

pytestmark = [pytest.mark.worker, *QUIET]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny("sdxl", tmp_path_factory.mktemp("tiny"))


def pictures(loaded: Any, folder: Path, prompt: str, ctx: Any = None, **more: Any) -> list[bytes]:
    """The bytes of the pictures that one job saves."""
    folder.mkdir(exist_ok=True)
    ctx = ctx or Context(folder, loaded)
    params = Params(model=loaded.info.id, prompt=prompt, steps=2, seed=1, width=64, height=64, **more)
    Generate().run(params, ctx)
    from PIL import Image

    return [Image.open(saved["path"]).tobytes() for saved in ctx.saved]


def test_each_picture_has_its_own_words_and_a_repeat_encodes_nothing(loaded, tmp_path):
    folder = tmp_path / "wildcards"
    folder.mkdir()
    (folder / "place.txt").write_text("on a hill\nby the sea\n")
    prompt = "a (red:1.4) fox __place__"
    drawn = [item.prompt for item in plan_items(Params(model="m", prompt=prompt, expand="all"), tmp_path)]
    assert drawn == ["a (red:1.4) fox on a hill", "a (red:1.4) fox by the sea"]
    ctx = Context(tmp_path, loaded)
    with runs(loaded) as ran:
        first = pictures(loaded, tmp_path, prompt, ctx, expand="all", at_once=1)
        assert ran
        ran.clear()
        again = pictures(loaded, tmp_path, prompt, Context(tmp_path, loaded), expand="all", at_once=1)
    assert ran == [] and again == first and len(first) == 2
    lone = pictures(loaded, tmp_path / "lone", drawn[0])
    assert lone == first[:1]
    plain = pictures(loaded, tmp_path / "plain", "a red fox on a hill")
    assert plain != lone


def test_a_missing_wildcard_refuses_the_job_before_anything_is_painted(loaded, tmp_path):
    ctx = Context(tmp_path, loaded)
    with pytest.raises(StudioError, match="no wildcards file nowhere"):
        pictures(loaded, tmp_path, "a fox __nowhere__", ctx)
    assert ctx.saved == []


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_regions_change_the_picture_in_batches_too(loaded, tmp_path, guidance):
    region = Region(prompt="a blue (boat:1.2)", right=0.5)
    plain = pictures(loaded, tmp_path / "plain", "a fox", guidance=guidance)
    alone = pictures(loaded, tmp_path / "alone", "a fox", guidance=guidance, regions=[region])
    both = pictures(loaded, tmp_path / "both", "a fox", guidance=guidance, regions=[region], count=2, at_once=2)
    assert alone != plain
    off = max(abs(a - b) for a, b in zip(alone[0], both[0], strict=True))
    assert off <= 1  # sums of another batch size round differently
    assert pictures(loaded, tmp_path / "after", "a fox", guidance=guidance) == plain


def test_a_learned_word_is_known_to_its_job_alone(loaded, tmp_path):
    widths = [loaded.parts[name].get_input_embeddings().weight.shape[1] for name in ("text_encoder", "text_encoder_2")]
    path = tmp_path / "kitty.safetensors"
    torch.manual_seed(3)
    save_file({"clip_l": torch.randn(2, widths[0]), "clip_g": torch.randn(2, widths[1])}, path)
    plain = pictures(loaded, tmp_path / "plain", "a kitty")
    ctx = Context(tmp_path, loaded)
    ctx.models.loaded[path.name] = read(ModelInfo(path.name, str(path), "embedding"))
    learned = pictures(loaded, tmp_path, "a kitty", ctx, inversions=[Inversion(model=path.name)])
    assert learned != plain
    assert pictures(loaded, tmp_path / "after", "a kitty") == plain
