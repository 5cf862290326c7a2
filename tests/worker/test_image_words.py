"""Prompts as tensors: the bits of the bare pipeline, weights, long prompts, the store."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from plugins.image import words_store
from plugins.image.conditioning import Words, batch, encode
from plugins.image.family_table import TABLE
from tests.guides_rig import picture
from tests.words_rig import bare, resident, runs

pytestmark = pytest.mark.worker
PROMPT, NEGATIVE = "a red cat, on a mat", "dogs"
STILL = [name for name in TABLE if name not in ("sd2", "chroma", "qwen-image-edit")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Each family's tiny model, made once and given with an empty memory."""
    folder: Path = tmp_path_factory.mktemp("models")
    made: dict[str, Any] = {}

    def give(family: str) -> Any:
        if family not in made:
            made[family] = resident(family, folder)
        made[family].kept.clear()
        return made[family]

    return give


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one.shape == other.shape and torch.equal(one, other)


@pytest.mark.parametrize("family", STILL)
def test_a_prompt_without_weights_has_the_bits_of_the_bare_pipeline(models, family):
    loaded = models(family)
    pipeline = bare(loaded)
    words = encode(loaded, PROMPT, NEGATIVE, guidance=6.0)
    with torch.no_grad():
        if family in ("sd15", "sdxl", "sd3", "z-image", "wan", "ltx"):
            expected = both(pipeline, family)
        else:
            one = single(pipeline, family, PROMPT)
            guided = loaded.family.guided == "cfg"
            other = single(pipeline, family, NEGATIVE) if guided else {}
            expected = one | {f"negative_{name}": value for name, value in other.items()}
    assert words.call.keys() == expected.keys()
    for name, value in expected.items():
        assert same(words.call[name], value), name
    assert all(value.shape[0] == 1 for value in words.call.values() if isinstance(value, torch.Tensor))


def both(pipeline: Any, family: str) -> dict[str, Any]:
    names = ["prompt_embeds", "negative_prompt_embeds"]
    more: dict[str, Any] = {"do_classifier_free_guidance": True, "negative_prompt": NEGATIVE, "device": "cpu"}
    if family == "sd15":
        more["num_images_per_prompt"] = 1
    if family in ("sdxl", "sd3"):
        names += ["pooled_prompt_embeds", "negative_pooled_prompt_embeds"]
    if family == "sd3":
        more |= {"prompt_2": None, "prompt_3": None}
    if family == "ltx":
        names = ["prompt_embeds", "prompt_attention_mask", "negative_prompt_embeds", "negative_prompt_attention_mask"]
    if family == "wan":
        more["max_sequence_length"] = 512  # what its __call__ gives
    return dict(zip(names, pipeline.encode_prompt(PROMPT, **more), strict=True))


def single(pipeline: Any, family: str, text: str) -> dict[str, Any]:
    given = pipeline.encode_prompt(text, device="cpu")
    if family.startswith("flux") and family != "flux2":
        return {"prompt_embeds": given[0], "pooled_prompt_embeds": given[1]}
    return {"prompt_embeds": given[0]}


@pytest.mark.expects_log  # diffusers, when the tiny pipeline is written
def test_an_instruction_is_read_with_its_picture(models):
    loaded = models("qwen-image-edit")
    pipeline, seen = bare(loaded), picture(56)
    words = encode(loaded, PROMPT, NEGATIVE, guidance=4.0, picture=seen)
    with torch.no_grad():
        shown = pipeline.image_processor.resize(seen, 1024, 1024)  # as its __call__ shows a square to the encoder
        expected = pipeline.encode_prompt(PROMPT, image=shown, device="cpu")[0]
    assert same(words.call["prompt_embeds"], expected)
    with runs(loaded) as ran:
        encode(loaded, PROMPT, NEGATIVE, guidance=4.0, picture=seen)
        assert ran == []
        other = encode(loaded, PROMPT, NEGATIVE, guidance=4.0, picture=seen.rotate(90))
    assert len(ran) == 2 and not same(other.call["prompt_embeds"], words.call["prompt_embeds"])


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_weights_move_only_what_they_are_put_on(models, family):
    loaded = models(family)
    plain = encode(loaded, "a red cat", guidance=1.0).call["prompt_embeds"]
    heavy = encode(loaded, "a (red:1.5) cat", guidance=1.0).call["prompt_embeds"]
    empty = encode(loaded, "", guidance=1.0).call["prompt_embeds"]
    assert isinstance(plain, torch.Tensor) and isinstance(heavy, torch.Tensor) and isinstance(empty, torch.Tensor)
    moved = (plain != heavy).any(-1)[0].nonzero().flatten().tolist()
    assert moved == [2, 3, 4]  # start, a, then r e d: one letter is one token here
    expected = empty + 1.5 * (plain - empty)
    assert torch.allclose(heavy[:, 2:5], expected[:, 2:5], atol=1e-5)
    light = encode(loaded, "a [red] cat", guidance=1.0).call["prompt_embeds"]
    assert torch.allclose(light[:, 2:5], (empty + (plain - empty) / 1.1)[:, 2:5], atol=1e-5)  # type: ignore[index]


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_chunks_are_encoded_by_themselves_and_the_negative_is_made_as_long(models, family):
    loaded = models(family)
    words = encode(loaded, "a cat BREAK a dog", "bad", guidance=7.0)
    cat, dog, empty, bad = (
        encode(loaded, text, guidance=1.0).call["prompt_embeds"] for text in ("a cat", "a dog", "", "bad")
    )
    assert same(words.call["prompt_embeds"], torch.cat([cat, dog], 1))  # type: ignore[list-item]
    assert same(words.call["negative_prompt_embeds"], torch.cat([bad, empty], 1))  # type: ignore[list-item]
    if family == "sdxl":
        pooled = encode(loaded, "a cat", guidance=1.0).call["pooled_prompt_embeds"]
        assert same(words.call["pooled_prompt_embeds"], pooled)


def test_a_long_prompt_is_read_to_its_end_and_cut_at_a_comma(models):
    loaded = models("sd15")
    first, second = "abcdefghij" * 7, "z" * 30
    words = encode(loaded, f"{first}, {second}", guidance=1.0).call["prompt_embeds"]
    one = encode(loaded, f"{first},", guidance=1.0).call["prompt_embeds"]
    two = encode(loaded, second, guidance=1.0).call["prompt_embeds"]
    assert same(words, torch.cat([one, two], 1))  # type: ignore[list-item]
    assert encode(loaded, "q" * 400, guidance=1.0).call["prompt_embeds"].shape[1] == 6 * 77  # type: ignore[union-attr]


@pytest.mark.parametrize(("family", "skip"), [("sd15", 1), ("sd15", 2), ("sdxl", 1), ("sd3", 1)])
def test_clip_skip_takes_an_earlier_layer(models, family, skip):
    loaded = models(family)
    words = encode(loaded, "a cat", "bad", guidance=7.0, clip_skip=skip)
    plain = encode(loaded, "a cat", "bad", guidance=7.0)
    assert not same(words.call["prompt_embeds"], plain.call["prompt_embeds"])
    assert same(words.call["negative_prompt_embeds"], plain.call["negative_prompt_embeds"])
    if family == "sd15":
        network, tokenizer = loaded.parts["text_encoder"], loaded.parts["tokenizer"]
        ids = tokenizer("a cat", padding="max_length", max_length=77, return_tensors="pt").input_ids
        with torch.no_grad():
            layer = network(ids, output_hidden_states=True).hidden_states[-(skip + 1)]
            layer = getattr(network, "text_model", network).final_layer_norm(layer)
        assert same(words.call["prompt_embeds"], layer)


def test_sdxl_without_a_negative_prompt_is_guided_away_from_nothing(models):
    words = encode(models("sdxl"), "a cat", "", guidance=5.0)
    assert not words.call["negative_prompt_embeds"].any()  # type: ignore[union-attr]
    assert not words.call["negative_pooled_prompt_embeds"].any()  # type: ignore[union-attr]


def test_the_layout_with_the_second_encoder_alone(tmp_path):
    loaded = resident("sdxl", tmp_path, tokenizer=None, text_encoder=None)
    loaded.settings["force_zeros_for_empty_prompt"] = True
    with torch.no_grad():
        given = bare(loaded).encode_prompt("a cat", device="cpu", negative_prompt="bad")
    words = encode(loaded, "a cat", "bad", guidance=5.0)
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    assert all(same(words.call[name], value) for name, value in zip(names, given, strict=True))
    heavy = encode(loaded, "a (cat:1.4) BREAK b", guidance=1.0)
    assert heavy.call["prompt_embeds"].shape == (1, 154, given[0].shape[-1])  # type: ignore[union-attr]


@pytest.mark.parametrize("family", ["flux", "flux2", "z-image", "qwen-image", "wan", "ltx"])
def test_where_weights_cannot_act_the_words_are_read_without_brackets(models, family):
    loaded = models(family)
    plain = encode(loaded, "a red cat", guidance=1.0)
    words = encode(loaded, "a (red:1.5) ((cat))", guidance=1.0)
    assert words.ignored and "weights" in words.ignored[0] and not plain.ignored
    for name, value in plain.call.items():
        assert same(words.call[name], value), name


def test_sd3_weighs_what_clip_reads(models):
    loaded = models("sd3")
    plain = encode(loaded, "a red cat", guidance=1.0)
    words = encode(loaded, "a (red:1.5) cat", guidance=1.0)
    moved = (plain.call["prompt_embeds"] != words.call["prompt_embeds"]).any(-1)[0].nonzero().flatten().tolist()  # type: ignore[union-attr]
    assert moved == [2, 3, 4] and "T5" in words.ignored[0]


def test_what_a_family_leaves_out_is_said(models):
    flux = models("flux")
    words = encode(flux, "a BREAK b <lora:x:1>", "dogs", guidance=3.5, clip_skip=2)
    said = " ".join(words.ignored)
    assert all(part in said for part in ("BREAK", "lora", "negative", "CLIP skip"))
    assert "negative_prompt_embeds" not in words.call
    long = encode(models("sd3"), "a cat, " * 200, guidance=1.0)
    assert any("reads the first 256" in each for each in long.ignored)


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3", "flux", "z-image"])
def test_an_unchanged_prompt_is_encoded_once_per_resident_model(models, family):
    loaded = models(family)
    with runs(loaded) as ran:
        first = encode(loaded, "a (red:1.2) cat", "bad", guidance=5.0)
        assert ran
        ran.clear()
        again = encode(loaded, "a (red:1.2) cat", "bad", guidance=7.0)
        assert ran == []
        encode(loaded, "another cat", "bad", guidance=5.0)
        once = len(ran)
        encode(loaded, "another cat", "bad", guidance=5.0, adapters_key="lora")
        assert once and len(ran) > once
    assert all(same(first.call[name], again.call[name]) for name in first.call)


def test_the_store_stays_within_its_bytes():
    store = words_store.Store(most=4000)
    for number in range(100):
        store.put(number, {"prompt_embeds": torch.zeros(250)})
    assert [number for number in range(100) if store.get(number)] == [96, 97, 98, 99]


def test_pictures_of_different_prompts_share_a_batch(models):
    loaded = models("sd15")
    one = encode(loaded, "a cat", guidance=5.0)
    two = encode(loaded, "a cat BREAK a dog", guidance=5.0)
    assert one.shape != two.shape
    both = batch([one, two])
    assert both["prompt_embeds"].shape[:2] == (2, 154)  # type: ignore[union-attr]
    empty = encode(loaded, "", guidance=1.0).call["prompt_embeds"]
    assert same(both["prompt_embeds"][:1, 77:], empty)  # type: ignore[index]
    assert same(batch([two])["prompt_embeds"], two.call["prompt_embeds"])


def test_prompts_of_different_length_are_masked_where_the_family_masks(models):
    loaded = models("qwen-image")
    one, two = (encode(loaded, text, guidance=4.0) for text in ("a", "a longer one"))
    both = batch([one, two])
    assert both["prompt_embeds_mask"].sum(1).tolist() == [w.call["prompt_embeds"].shape[1] for w in (one, two)]  # type: ignore[union-attr]
    with_list = batch([encode(models("z-image"), text, guidance=4.0) for text in ("a", "b c")])
    assert [len(value) for value in with_list.values()] == [2, 2]
    assert batch([Words({"a": torch.zeros(1, 3)}), Words({"a": torch.ones(1, 3)})])["a"].shape == (2, 3)  # type: ignore[union-attr]


def test_chroma_is_told_which_tokens_count(models):
    flux = models("flux")
    parts = {**flux.parts, "text_encoder": flux.parts["text_encoder_2"], "tokenizer": flux.parts["tokenizer_2"]}
    loaded = replace(flux, family=TABLE["chroma"], parts=parts, kept={})
    words = encode(loaded, PROMPT, NEGATIVE, guidance=5.0)
    with torch.no_grad():
        given = bare(loaded).encode_prompt(PROMPT, NEGATIVE, device="cpu")
    names = (
        "prompt_embeds",
        "",
        "prompt_attention_mask",
        "negative_prompt_embeds",
        "",
        "negative_prompt_attention_mask",
    )
    assert all(same(words.call[name], value) for name, value in zip(names, given, strict=True) if name)


def test_guidance_that_asks_for_no_second_run_encodes_no_negative_prompt(models):
    for family, low, high in (("sd15", 1.0, 1.1), ("z-image", 0.0, 0.5), ("qwen-image", 1.0, 4.0)):
        loaded = models(family)
        assert "negative_prompt_embeds" not in encode(loaded, "a", "b", guidance=low).call
        assert "negative_prompt_embeds" in encode(loaded, "a", "", guidance=high).call
        default = encode(loaded, "a", "b", guidance=None).call
        assert "negative_prompt_embeds" in default
