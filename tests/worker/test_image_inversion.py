"""Learned words on shared encoders: every layout of file, the bits of diffusers' own loading, no trace left."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from plugins.image import inversion
from plugins.image.conditioning import encode
from plugins.image.params import Inversion
from studio.errors import StudioError
from studio.sdk.operation import ModelInfo
from tests.guides_rig import Context, Models, together
from tests.words_rig import bare, resident, runs

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return resident("sd15", tmp_path_factory.mktemp("sd15"))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return resident("sdxl", tmp_path_factory.mktemp("sdxl"))


def width(loaded: Any, name: str = "text_encoder") -> int:
    return loaded.parts[name].get_input_embeddings().weight.shape[1]


def file(path: Path, **tensors: torch.Tensor) -> Path:
    save_file(tensors, path)
    return path


def vectors(count: int, size: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def embeds(loaded: Any, prompt: str, ctx: Any = None, words: list[Inversion] | None = None) -> torch.Tensor:
    with inversion.inverted(loaded, ctx, words or []):
        found = encode(loaded, prompt, guidance=1.0).call["prompt_embeds"]
    assert isinstance(found, torch.Tensor)
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_a_learned_word_has_the_bits_of_diffusers_own_loading(sd15, tmp_path, count):
    path = file(tmp_path / "kitty.safetensors", emb_params=vectors(count, width(sd15)))
    ctx = Context(Models(path))
    found = embeds(sd15, "a Kitty here", ctx, [Inversion(model=path.name)])
    own = copy.deepcopy({name: sd15.parts[name] for name in ("tokenizer", "text_encoder")})
    pipeline = sd15.pipeline("text", sd15.make_scheduler(), **own)
    pipeline.load_textual_inversion({"kitty": vectors(count, width(sd15))}, token="kitty")
    with torch.no_grad():
        expected = pipeline.encode_prompt("a kitty here", "cpu", 1, False)[0]
    assert torch.equal(found, expected)
    assert not torch.equal(found, embeds(sd15, "a Kitty here"))


def test_layouts_of_files(sd15, sdxl, tmp_path):
    size = width(sd15)
    token = file(tmp_path / "a.safetensors", **{"<cat-toy>": vectors(1, size)[0]})
    info = ModelInfo("a", str(token), "embedding")
    assert inversion.read(info).word == "<cat-toy>"
    both = file(
        tmp_path / "xl.safetensors", clip_l=vectors(2, width(sdxl)), clip_g=vectors(2, width(sdxl, "text_encoder_2"), 2)
    )
    ctx = Context(Models(token, both))
    plain, with_word = embeds(sd15, "a <cat-toy>"), embeds(sd15, "a <cat-toy>", ctx, [Inversion(model=token.name)])
    assert not torch.equal(plain, with_word)
    renamed = embeds(sd15, "a toy", ctx, [Inversion(model=token.name, word="toy")])
    assert torch.equal(renamed, with_word)
    xl = embeds(sdxl, "a xl", ctx, [Inversion(model=both.name)])
    assert not torch.equal(xl, embeds(sdxl, "a xl"))
    split = width(sdxl)
    changed = (xl != embeds(sdxl, "a xl")).any(1)[0]
    assert bool(changed[:split].any()) and bool(changed[split:].any())  # in both encoders' parts


def test_weights_and_parts_of_words(sd15, tmp_path):
    path = file(tmp_path / "kit.safetensors", emb_params=vectors(2, width(sd15)))
    ctx = Context(Models(path))
    words = [Inversion(model=path.name)]
    assert torch.equal(embeds(sd15, "a kitten", ctx, words), embeds(sd15, "a kitten"))
    light, heavy = embeds(sd15, "a (kit:1.5)", ctx, words), embeds(sd15, "a kit", ctx, words)
    assert (light != heavy).any(-1)[0].nonzero().flatten().tolist() == [2, 3]


def test_nothing_is_left_on_the_shared_model(sd15, tmp_path):
    path = file(tmp_path / "kitty.safetensors", emb_params=vectors(2, width(sd15)))
    before = {name: tensor.clone() for name, tensor in sd15.parts["text_encoder"].state_dict().items()}
    length = len(sd15.parts["tokenizer"])
    plain = embeds(sd15, "a kitty")
    embeds(sd15, "a kitty", Context(Models(path)), [Inversion(model=path.name)])
    after = sd15.parts["text_encoder"].state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert len(sd15.parts["tokenizer"]) == length
    assert not sd15.parts["text_encoder"].get_input_embeddings()._forward_hooks
    sd15.kept.clear()
    assert torch.equal(embeds(sd15, "a kitty"), plain)


def test_jobs_that_take_turns_know_their_own_words_only(sd15, tmp_path):
    paths = [file(tmp_path / f"w{seed}.safetensors", emb_params=vectors(1, width(sd15), seed)) for seed in (1, 2)]
    sd15.kept.clear()

    def job(name: str, path: Path | None) -> Any:
        def work(turns: Any) -> list[torch.Tensor]:
            ctx = Context(Models(*paths), turns, name)
            found = []
            with inversion.inverted(sd15, ctx, [Inversion(model=path.name, word="kitty")] if path else []):
                for step in range(3):
                    words = encode(sd15, f"a kitty {step}", guidance=1.0)
                    found.append(words.call["prompt_embeds"])
                    ctx.step(step)
            return found  # type: ignore[return-value]

        return work

    alone = {}
    for name, path in (("one", paths[0]), ("two", paths[1]), ("none", None)):
        alone[name] = together({name: job(name, path)})[0][name]
    sd15.kept.clear()
    beside, order = together({"one": job("one", paths[0]), "two": job("two", paths[1]), "none": job("none", None)})
    assert order[:4] == ["one", "two", "none", "one"]
    for name, expected in alone.items():
        assert all(torch.equal(a, b) for a, b in zip(beside[name], expected, strict=True)), name
    assert not torch.equal(alone["one"][0], alone["two"][0])
    assert inversion.active(sd15) is None


def test_a_kept_prompt_with_a_word_is_not_recomputed(sd15, tmp_path):
    path = file(tmp_path / "kitty.safetensors", emb_params=vectors(2, width(sd15)))
    ctx, words = Context(Models(path)), [Inversion(model=path.name)]
    first = embeds(sd15, "my kitty", ctx, words)
    with runs(sd15) as ran:
        assert torch.equal(embeds(sd15, "my kitty", ctx, words), first)
    assert ran == []


def refusal(loaded: Any, path: Path) -> str:
    with pytest.raises(StudioError) as caught:
        embeds(loaded, "a", Context(Models(path)), [Inversion(model=path.name)])
    assert caught.value.code == "inversion"
    return str(caught.value)


def test_what_does_not_fit_is_refused_in_words(sd15, sdxl, tmp_path):
    size = width(sd15)
    other = file(tmp_path / "other.safetensors", emb_params=vectors(1, size + 8))
    assert "another family" in refusal(sd15, other) and str(size + 8) in refusal(sd15, other)
    assert "another family" in refusal(sdxl, file(tmp_path / "one.safetensors", emb_params=vectors(1, size)))
    xl = file(tmp_path / "xl.safetensors", clip_g=vectors(1, width(sdxl, "text_encoder_2")))
    assert "another family" in refusal(sdxl, xl) and "another family" in refusal(sd15, xl)
    assert "not finite" in refusal(
        sd15, file(tmp_path / "nan.safetensors", emb_params=torch.full((1, size), torch.nan))
    )
    assert "75" in refusal(sd15, file(tmp_path / "long.safetensors", emb_params=vectors(76, size)))
    assert "no vectors" in refusal(sd15, file(tmp_path / "ints.safetensors", emb_params=torch.ones(1, size).long()))
    lora = file(tmp_path / "lora.safetensors", **{"a.lora_up": vectors(1, size), "a.lora_down": vectors(1, size)})
    assert "none is a learned word" in refusal(sd15, lora)
    text = tmp_path / "text.safetensors"
    text.write_text("this is no tensor")
    assert "cannot be read" in refusal(sd15, text)
    pickle = tmp_path / "old.pt"
    pickle.write_bytes(b"\x80\x02}.")
    assert "safetensors" in refusal(sd15, pickle)


def test_other_families_take_none(tmp_path):
    flux = resident("flux", tmp_path)
    path = file(tmp_path / "kitty.safetensors", emb_params=vectors(1, 32))
    assert "takes no learned words" in refusal(flux, path)
    assert bare(flux) is not None
