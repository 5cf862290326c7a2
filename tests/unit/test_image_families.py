"""The table of families: consistent in itself, fitted to a model's own configuration, and saying what cannot be."""

import pytest

from plugins.image import families
from plugins.image.family_table import CLASSES, TABLE
from plugins.image.params import Generate, Inpaint, Transform
from plugins.image.params_more import Edit
from plugins.image.sampler_table import SAMPLERS, SCHEDULES, schedules_for, table
from studio.errors import StudioError
from studio.sdk.operation import ModelInfo

pytestmark = pytest.mark.unit

STARTER = {
    "_class_name": "StableDiffusionXLPipeline",
    "components": {
        "unet": {"sample_size": 16, "in_channels": 4, "cross_attention_dim": 256},
        "vae": {"block_out_channels": [32, 64, 128], "latent_channels": 4},
        "scheduler": {"prediction_type": "v_prediction"},
    },
}
OPERATIONS = {"image.generate": Generate, "image.transform": Transform, "image.inpaint": Inpaint, "image.edit": Edit}


def test_the_issue_s_families_are_there():
    wanted = [
        "sd15",
        "sdxl",
        "sd3",
        "flux",
        "flux2",
        "z-image",
        "qwen-image",
        "flux-kontext",
        "qwen-image-edit",
        "wan",
        "ltx",
    ]
    assert set(wanted) <= set(TABLE)
    assert all(name == family.id for name, family in TABLE.items())


@pytest.mark.parametrize("family", TABLE.values(), ids=TABLE)
def test_a_row_agrees_with_itself_and_with_the_samplers(family):
    assert set(family.samplers) <= set(SAMPLERS) & set(table(family.prediction))
    assert set(family.schedules) <= set(SCHEDULES)
    assert family.samplers and family.schedules
    for width, height in family.sizes:
        assert width % family.multiple == 0 and height % family.multiple == 0
        assert 0.5 < width * height / family.native**2 < 3.5
    for name in family.pipelines.values():
        assert CLASSES[name] in TABLE
    assert (family.prediction == "flow") == family.shifts
    assert family.guided in ("cfg", "distilled", "none")
    assert family.multiple % 8 == 0
    assert not family.controls or (family.control_class and "control" in family.pipelines)
    assert bool(family.frames) == ("video" in family.pipelines)
    assert not family.frames or (family.frames - 1) % family.frame_step == 0


@pytest.mark.parametrize("family", TABLE.values(), ids=TABLE)
def test_every_offered_sampler_has_an_offered_schedule(family):
    for sampler in families.choices(family, "sampler") or ():
        offered = families.choices(family, "schedule", sampler)
        assert offered and offered[0] == "auto"
        if sampler != "auto":
            assert len(offered) > 1
            assert set(offered[1:]) <= set(schedules_for(sampler, family.prediction))
    assert families.choices(family, "prompt") is None


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("family", TABLE.values(), ids=TABLE)
def test_reasons_are_sentences_about_fields_that_exist(family, operation):
    for field, reason in families.capability(family, operation).items():
        assert field in OPERATIONS[operation].model_fields or field in ("shift", "hires", "eta"), field
        assert reason.endswith(".") and len(reason) > 20


def test_what_a_family_cannot_do_is_said():
    flux = families.capability(TABLE["flux"], "image.generate")
    assert {"negative", "clip_skip", "inversions", "regions", "eta"} <= set(flux)
    assert not {"controls", "loras", "model", "shift"} & set(flux)
    assert "model" in families.capability(TABLE["sd15"], "image.edit")
    assert "model" not in families.capability(TABLE["flux-kontext"], "image.edit")
    assert "model" in families.capability(TABLE["wan"], "image.animate")
    assert "controls" in families.capability(TABLE["sd3"], "image.inpaint")
    assert "controls" not in families.capability(TABLE["sd3"], "image.generate")
    assert not families.capability(TABLE["sd15"], "image.generate").keys() - {"shift", "quantised"}


def test_a_small_model_of_a_large_family_keeps_its_own_size_and_prediction():
    family = families.of_pipeline("StableDiffusionXLPipeline", STARTER)
    assert (family.id, family.native, family.latent_scale, family.prediction) == ("sdxl", 64, 4, "velocity")
    assert families.size_for(family, STARTER, 0, 0) == (64, 64)
    assert families.size_for(family, STARTER, 96, 0) == (96, 64)
    assert family.multiple == 8
    assert "dpmpp-2m" in family.samplers


def test_a_size_that_does_not_go_names_the_nearest():
    with pytest.raises(StudioError) as caught:
        families.size_for(TABLE["flux"], {}, 1001, 768)
    assert caught.value.code == "size"
    assert "992 × 768" in caught.value.hint and "1008 × 768" in caught.value.hint
    with pytest.raises(StudioError) as caught:
        families.size_for(TABLE["sd15"], {}, 3, 64)
    assert "8 × 64" in caught.value.hint


def test_members_of_a_family_differ():
    dev = families.of_pipeline("Flux2Pipeline", {})
    assert dev.pipelines["text"] == "Flux2Pipeline" and dev.guided == "distilled" and not dev.negative
    klein = families.of_pipeline("Flux2KleinPipeline", {"settings": {"is_distilled": True}})
    assert klein.guided == "none" and "guidance" in families.capability(klein, "image.generate")
    assert families.of_pipeline("WanImageToVideoPipeline", {}).uses == ("image-video",)
    both = families.of_pipeline("WanPipeline", {"settings": {"expand_timesteps": True}})
    assert both.uses == ("video", "image-video")
    inpaint = families.of_pipeline("StableDiffusionInpaintPipeline", {"components": {"unet": {"in_channels": 9}}})
    assert set(inpaint.uses) == {"inpaint", "control-inpaint"}
    two = families.of_pipeline("StableDiffusionPipeline", {"components": {"unet": {"cross_attention_dim": 1024}}})
    assert two.id == "sd2"


def test_models_made_for_few_steps_are_known_by_name():
    turbo = families.of_model(ModelInfo("Tongyi/Z-Image-Turbo", "", "text-to-image", "ZImagePipeline"))
    assert (turbo.steps, turbo.guidance) == (9, 0.0)
    schnell = {"_class_name": "FluxPipeline", "components": {"transformer": {"guidance_embeds": False}}}
    assert families.of_model({"id": "a", "config": schnell}).steps == 4
    assert families.of_model({"id": "flux-dev", "config": {"_class_name": "FluxPipeline"}}).steps == 28


def test_a_pipeline_of_no_family_is_refused_with_those_there_are():
    with pytest.raises(StudioError) as caught:
        families.of_pipeline("ShapEPipeline", {})
    assert caught.value.code == "family" and "Stable Diffusion XL" in caught.value.detail
    with pytest.raises(StudioError):
        families.of_model({"id": "x", "config": {"_class_name": ["a"]}, "family": ""})


def test_an_adapter_for_another_family_is_said_to_be_one():
    lora = {"config": {"base": "sdxl"}}
    assert "Stable Diffusion XL" in families.misfit(TABLE["sd15"], lora)
    assert families.misfit(TABLE["sdxl"], lora) == ""
    assert families.misfit(TABLE["sd15"], {"config": {}}) == ""
    assert families.misfit(TABLE["flux-kontext"], {"config": {"base": "flux"}}) == ""
    assert families.misfit(TABLE["sd15"], ModelInfo("a", "", "adapter", config={"base": "flux"}))


@pytest.mark.parametrize("hostile", [{"components": 3}, {"components": {"unet": [], "vae": "x"}}, {"settings": 1}])
def test_configurations_of_strangers_do_no_harm(hostile):
    assert families.of_pipeline("StableDiffusionPipeline", hostile).id == "sd15"


@pytest.mark.parametrize(
    ("installed", "offered"),
    [
        ((), ("none",)),
        (("torchao",), ("none", "int8")),
        (("bitsandbytes",), ("none", "int8", "int4")),
        (("bitsandbytes", "torchao"), ("none", "int8", "int4")),
    ],
)
def test_fewer_bits_are_offered_where_a_library_makes_them(installed, offered, monkeypatch):
    monkeypatch.setattr(families, "quantisers", lambda: installed)
    for family in TABLE.values():
        assert families.choices(family, "quantised") == offered
        assert ("quantised" in families.capability(family, "image.generate")) == (not installed)


def test_models_that_are_loaded_as_they_are_say_why(monkeypatch):
    monkeypatch.setattr(families, "quantisers", lambda: ("bitsandbytes", "torchao"))
    parts = {"transformer": {}, "text_encoder": {}, "vae": {}}
    packed = {"parts": {"transformer": "nf4"}}
    half = {"id": "m", "config": {"_class_name": "FluxPipeline", "components": parts, "packed": packed}}
    assert families.of_model(half).fixed == ""
    packed["parts"]["text_encoder"] = "int8"
    family = families.of_model(half)
    assert family.fixed == "The weights of this model are stored in fewer bits already (int8, nf4)."
    assert families.choices(family, "quantised") == ("none",)
    assert families.capability(family, "image.generate")["quantised"] == family.fixed
    single = {"_class_name": "StableDiffusionPipeline", "single_file": True}
    assert "single file" in families.of_model({"id": "m", "config": single}).fixed
    network = {"_class_name": "FluxPipeline", "single_file": True, "needs": "flux"}
    assert families.of_model({"id": "m", "config": network}).fixed == ""
