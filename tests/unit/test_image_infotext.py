"""The `parameters` text: what others wrote is understood, what is written here comes back whole."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.image import infotext, sampler_names
from plugins.image.params import Generate, Inpaint, Outpaint, Transform
from plugins.image.params_more import Edit, Upscale
from plugins.image.sampler_table import SAMPLERS, SCHEDULES

pytestmark = pytest.mark.unit

A1111 = """masterpiece, (a fox:1.2) in snow <lora:ink_wash:0.8>
second line
Negative prompt: blurry, low quality
second negative line
Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 1234567890, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, VAE hash: 735e4c3a44, VAE: vae-ft-mse.safetensors, \
Variation seed: 5, Variation seed strength: 0.2, Denoising strength: 0.45, Clip skip: 2, Hires upscale: 2, \
Hires steps: 10, Hires upscaler: Latent, Lora hashes: "ink_wash: 3f1b4a5f2d1c, other: aabb", Version: v1.10.1"""


def test_a_text_of_a1111() -> None:
    assert infotext.read(A1111) == {
        "operation": "image.generate",
        "prompt": "masterpiece, (a fox:1.2) in snow\nsecond line",
        "negative": "blurry, low quality\nsecond negative line",
        "loras": [{"model": "ink_wash", "weight": 0.8}],
        "steps": 25,
        "sampler": "dpmpp-2m",
        "schedule": "karras",
        "guidance": 7.5,
        "seed": 1234567890,
        "width": 512,
        "height": 768,
        "model": "v1-5-pruned-emaonly",
        "variation": 0.2,
        "variation_seed": 5,
        "clip_skip": 1,
        "hires": 2.0,
        "hires_strength": 0.45,
        "hires_steps": 10,
        "hires_by": "latent",
    }
    assert infotext.parse(A1111).settings["Lora hashes"] == "ink_wash: 3f1b4a5f2d1c, other: aabb"


def test_an_older_text_names_the_schedule_in_the_sampler_and_img2img_by_its_strength() -> None:
    said = infotext.read("a\nSteps: 20, Sampler: DPM++ 2M SDE Karras, Seed: 1, Size: 8x8, Denoising strength: 0.7")
    assert (said["sampler"], said["schedule"]) == ("dpmpp-2m-sde", "karras")
    assert (said["operation"], said["strength"]) == ("image.transform", 0.7)


def test_words_alone_are_a_prompt() -> None:
    assert infotext.parse("a fox: red, and a crow") == infotext.Infotext("a fox: red, and a crow")
    assert infotext.parse("") == infotext.Infotext("")


def test_what_is_written_reads_as_a1111_writes() -> None:
    params = Generate(
        prompt="a fox", negative="blurry", sampler="dpmpp-2m", schedule="karras", guidance=7, clip_skip=1
    ).model_dump(mode="json")
    text = infotext.write(params, {"seed": 1, "model_hash": "abc"}, 512, 512, "tiny")
    assert text == (
        "a fox\nNegative prompt: blurry\nSteps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, "
        "Size: 512x512, Model hash: abc, Model: tiny, Clip skip: 2, Version: Atelier"
    )


HARD = [
    "a fox\nNegative prompt: not really",
    "Steps: 20, Sampler: Euler, Seed: 3, Size: 8x8",
    "words\nSteps: 20, Sampler: Euler, Seed: 3, Size: 8x8",
    "Negative prompt: only this",
    ' "quoted", with: colons {and|braces} \\ and back\\"slashes',
    "<lora:not one of ours:0.5> text",
    "trailing space \n\n",
    "",
]


@pytest.mark.parametrize("prompt", HARD)
@pytest.mark.parametrize("negative", HARD)
def test_prompts_that_look_like_parameters_come_back(prompt: str, negative: str) -> None:
    comes_back(Generate(prompt=prompt, negative=negative, seed=4), "image.generate")


FULL = {
    "loras": [{"model": "folder/ink.safetensors", "weight": 0.8}, {"model": "b:c", "weight": -1}],
    "controls": [{"model": "canny, v2", "picture": "input:ab.png", "map": "canny", "weight": 0.4, "end": 0.5}],
    "regions": [{"prompt": 'left, "half"', "right": 0.4}],
    "references": [{"picture": "input:cd.png"}],
    "inversions": [{"model": "bad", "word": "<bad>"}],
    "quantised": "int8", "eta": 0.5, "shift": 3.5, "variation": 0.3, "variation_seed": 9, "start_latents": "input:x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("image.generate", Generate(prompt="a", seed=1, hires=1.5, hires_by="latent", hires_strength=0.3, **FULL)),
        ("image.transform", Transform(prompt="a", seed=1, picture="input:a", strength=0.33, **FULL)),
        (
            "image.inpaint",
            Inpaint(prompt="a", seed=1, picture="input:a", mask="input:b", fill="noise", grow=-3, **FULL),
        ),
        ("image.outpaint", Outpaint(prompt="a", seed=1, picture="input:a", left=8, right=0, fill="grey", **FULL)),
        ("image.upscale", Upscale(prompt="a", seed=1, picture="input:a", scale=3, upscaler="x4", refine=0)),
        ("image.edit", Edit(prompt="make it red", seed=1, picture="input:a", **FULL)),
    ],
)
def test_every_operation_comes_back(operation: str, params) -> None:
    comes_back(params, operation)


@pytest.mark.parametrize("sampler", ["auto", *SAMPLERS])
@pytest.mark.parametrize("schedule", ["auto", *SCHEDULES])
def test_every_sampler_and_schedule_comes_back(sampler: str, schedule: str) -> None:
    comes_back(Generate(prompt="a", seed=1, sampler=sampler, schedule=schedule), "image.generate")


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@given(words, words, words)
@settings(max_examples=200, deadline=None)
def test_any_words_come_back(prompt: str, negative: str, word: str) -> None:
    params = Inpaint(
        prompt=prompt,
        negative=negative,
        seed=7,
        picture="p",
        mask="m",
        regions=[{"prompt": word}],
        loras=[{"model": word}],
    )
    comes_back(params, "image.inpaint")


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_text_is_too_strange(text: str) -> None:
    json.dumps(infotext.read(text))
    infotext.read("a\nSteps: 1, Sampler: Euler, " + text)


def test_a_long_hostile_line_takes_no_long_time() -> None:
    for piece in ("a" * 50, 'a: "', 'k: {"', "a: [[", ",,,,", 'a: "\\", '):
        infotext.read("x\nSteps: 1, Sampler: Euler, Seed: 2, " + piece * 20_000)
    infotext.read("x\nSteps: 1, Seed: 2, Hashes: " + "{" * 100_000 + ", a: 1")
    infotext.lora_tags("<lora:" * 50_000)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Euler a", ("euler-a", "")),
        ("euler_ancestral", ("euler-a", "")),
        ("k_euler_ancestral", ("euler-a", "")),
        ("DPM++ 2M Karras", ("dpmpp-2m", "karras")),
        ("dpmpp_2m_sde_gpu", ("dpmpp-2m-sde", "")),
        ("dpmpp_2m_k", ("dpmpp-2m", "karras")),
        ("euler_k", ("euler", "karras")),
        ("kdpm_2_a", ("dpm2-a", "")),
        ("uni_pc", ("unipc", "")),
        ("UniPC Trailing", ("unipc", "sgm-uniform")),
        ("DPM++ 2M AYS", ("dpmpp-2m", "ays")),
        ("PLMS", ("pndm", "")),
        ("Automatic", ("auto", "")),
        ("", ("auto", "")),
    ],
)
def test_names_of_samplers(theirs: str, ours: tuple[str, str]) -> None:
    assert sampler_names.sampler(theirs) == (*ours, "")


def test_the_nearest_sampler_is_said_and_an_unknown_one_too() -> None:
    assert sampler_names.sampler("dpmpp_3m_sde")[0] == "dpmpp-3m" and "nearest" in sampler_names.sampler("Restart")[2]
    assert sampler_names.sampler("Frobnicator") == ("", "", "The sampler “Frobnicator” is not known here.")
    assert sampler_names.schedule("kl_optimal")[0] == "karras" and not sampler_names.schedule("zigzag")[0]


def comes_back(params, operation: str) -> None:
    values = params.model_dump(mode="json")
    facts = {"seed": values["seed"]}  # the operation is told from the fields
    said = infotext.read(infotext.write(values, facts, 512, 640, "tiny"))
    assert said.pop("operation") == operation
    assert said.pop("model") == "tiny"
    left = {name: value for name, value in values.items() if name not in ("model", "width", "height")}
    fields = type(params).model_fields
    got = {name: said.get(name, fields[name].get_default(call_default_factory=True)) for name in left}
    assert got == left
