"""ControlNets, reference pictures, and all guides together, on shared tiny models."""

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import ControlNetModel
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from plugins.image.control import controlled
from plugins.image.guides import guided
from plugins.image.params import Control, Generate, Lora, Reference
from plugins.image.reference import referred
from studio.errors import StudioError
from tests.guides_rig import Context, Models, painted, picture, resident, together
from tests.worker.test_image_adapters import of_diffusers

pytestmark = [
    pytest.mark.worker,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
]
SIDE = 32


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model of a family, made once."""
    folder, known = tmp_path_factory.mktemp("models"), {}

    def give(family: str) -> Any:
        if family not in known:
            known[family] = resident(family, folder)
        return known[family]

    return give


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "disc.png"
    picture(SIDE).save(path)
    return str(path)


def spread(net: Any, seed: int) -> Any:
    """ControlNets begin with zeros, which say nothing."""
    torch.manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net


def unet_control(loaded: Any, folder: Path, seed: int = 1, **other: Any) -> Path:
    net = ControlNetModel.from_unet(loaded.parts["unet"], conditioning_embedding_out_channels=(16, 16, 32))
    if other:
        net = ControlNetModel.from_config({**net.config, **other})
    spread(net, seed).save_pretrained(folder)
    return folder


def _bare_control(loaded: Any) -> Any:
    return ControlNetModel.from_unet(
        loaded.parts["unet"], conditioning_embedding_out_channels=(16, 16, 32), load_weights_from_unet=False
    )


def with_controls(loaded: Any, ctx: Any, *controls: Control, use: str = "control", **call: Any) -> torch.Tensor:
    with controlled(loaded, ctx, controls, SIDE, SIDE, over=use != "control") as found:
        return painted(loaded, ctx, use=use, parts=found.parts, **{**found.call, **call})


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_controlnet_changes_the_picture_by_its_weight_and_its_share_of_the_steps(
    family: str, made: Any, shown: str, tmp_path: Path
) -> None:
    loaded = made(family)
    models = Models(unet_control(loaded, tmp_path / "edges"))
    ctx, before = Context(models), painted(loaded)
    full = with_controls(loaded, ctx, Control(model="edges", picture=shown))
    half = with_controls(loaded, ctx, Control(model="edges", picture=shown, weight=0.5))
    late = with_controls(loaded, ctx, Control(model="edges", picture=shown, start=0.5))
    drawn = with_controls(loaded, ctx, Control(model="edges", picture=shown, map="canny"))
    for one in (full, half, late, drawn):
        assert not torch.equal(one, before)
    assert len({one.numpy().tobytes() for one in (full, half, late, drawn)}) == 4
    assert models.loads == ["edges"]  # resident
    assert torch.equal(painted(loaded), before)


def test_it_is_what_a_bare_pipeline_with_the_same_controlnet_makes(made: Any, shown: str, tmp_path: Path) -> None:
    loaded = made("sd15")
    folder = unet_control(loaded, tmp_path / "edges")
    mine = with_controls(loaded, Context(Models(folder)), Control(model="edges", picture=shown, weight=0.8, end=0.7))
    net = ControlNetModel.from_pretrained(folder).eval()
    call = {"controlnet_conditioning_scale": 0.8, "control_guidance_end": 0.7, "image": picture(SIDE)}
    assert torch.equal(painted(loaded, use="control", parts={"controlnet": net}, **call), mine)


def test_several_controlnets_and_a_picture_underneath(made: Any, shown: str, tmp_path: Path) -> None:
    loaded = made("sd15")
    models = Models(unet_control(loaded, tmp_path / "one", 1), unet_control(loaded, tmp_path / "two", 2))
    ctx = Context(models)
    one, two = (Control(model=name, picture=shown) for name in ("one", "two"))
    single, both = with_controls(loaded, ctx, one), with_controls(loaded, ctx, one, two)
    assert not torch.equal(single, both)
    over = {"image": picture(SIDE), "strength": 0.9, "height": None, "width": None}
    del over["height"], over["width"]
    base = painted(loaded, use="image", **over)
    assert not torch.equal(with_controls(loaded, ctx, one, two, use="control-image", **over), base)


@pytest.mark.parametrize(("family", "kind"), [("sd3", "SD3ControlNetModel"), ("flux", "FluxControlNetModel")])
def test_controlnets_of_transformer_families(family: str, kind: str, made: Any, tmp_path: Path) -> None:
    loaded = made(family)
    settings = dict(loaded.parts["transformer"].config)
    settings |= {"extra_conditioning_channels": 0} if family == "sd3" else {}
    spread(getattr(diffusers, kind).from_config(settings), 1).save_pretrained(tmp_path / "net")
    picture(64).save(tmp_path / "map.png")
    controls = [Control(model="net", picture=str(tmp_path / "map.png"), weight=0.5)]
    before = painted(loaded, steps=2)
    with controlled(loaded, Context(Models(tmp_path / "net")), controls, 64, 64, over=False) as found:
        assert not torch.equal(painted(loaded, use="control", parts=found.parts, steps=2, **found.call), before)


def test_a_single_file_takes_its_shape_from_the_model(made: Any, shown: str, tmp_path: Path) -> None:
    loaded = made("sd15")
    net = spread(_bare_control(loaded), 3)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    control = Control(model="net.safetensors", picture=shown)
    found = with_controls(loaded, Context(Models(tmp_path / "net.safetensors")), control)
    assert not torch.equal(found, painted(loaded))
    state = net.state_dict()
    del state["conv_in.weight"]
    save_file(state, tmp_path / "torn.safetensors")
    with pytest.raises(StudioError, match="incomplete"):
        with_controls(
            loaded, Context(Models(tmp_path / "torn.safetensors")), Control(model="torn.safetensors", picture=shown)
        )


def test_controls_that_do_not_fit_are_refused_in_words(made: Any, shown: str, tmp_path: Path) -> None:
    sd15, sdxl = made("sd15"), made("sdxl")
    unet_control(sdxl, tmp_path / "xl")
    ctx = Context(Models(tmp_path / "xl"))
    with pytest.raises(StudioError, match="another model") as caught:
        with_controls(sd15, ctx, Control(model="xl", picture=shown))
    assert "cross_attention_dim" in caught.value.detail
    assert "xl" in caught.value.detail and "Stable Diffusion 1.5" in caught.value.detail
    for control, said in (
        (Control(model="xl"), "no picture"),
        (Control(picture=shown), "no ControlNet"),
        (Control(model="xl", picture=shown, start=0.8, end=0.2), "ends before it starts"),
        (Control(model="xl", picture=shown, map="depth"), "needs a model"),
        (Control(model="xl", picture=shown, map="pose"), "needs a model"),
    ):
        with pytest.raises(StudioError, match=said):
            with_controls(sdxl, ctx, control)
    with pytest.raises(StudioError, match="takes no ControlNet"):
        with_controls(made("z-image"), ctx, Control(model="xl", picture=shown))


# References ------------------------------------------------------------------------------------------


def ip_adapter(loaded: Any, folder: Path, seed: int = 1, plus: bool = False) -> Path:
    """An IP-Adapter in its makers' layout, with an image encoder beside it."""
    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=16,
        projection_dim=24,
    )  # fmt: skip
    torch.manual_seed(seed)
    folder.mkdir(exist_ok=True)
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    unet = loaded.parts["unet"]
    width = unet.config.cross_attention_dim
    state: dict[str, torch.Tensor] = {}
    key = 1
    for name, processor in unet.attn_processors.items():
        assert processor is not None
        if not name.endswith("attn1.processor"):
            block = unet.get_submodule(name.removesuffix(".processor"))
            for half in ("k", "v"):
                state[f"ip_adapter.{key}.to_{half}_ip.weight"] = torch.randn(block.inner_dim, width) * 0.3
            key += 2
    state |= {
        "image_proj.proj.weight": torch.randn(width * 4, 24),
        "image_proj.proj.bias": torch.randn(width * 4),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    save_file(state, folder / f"ip-{seed}.safetensors")
    return folder / f"ip-{seed}.safetensors"


def with_references(loaded: Any, ctx: Any, *references: Reference) -> torch.Tensor:
    with referred(loaded, ctx, references) as found:
        return painted(loaded, ctx, parts=found.parts, **found.call)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_an_ip_adapter_changes_the_picture_and_leaves_no_trace(
    family: str, made: Any, shown: str, tmp_path: Path
) -> None:
    loaded = made(family)
    file = ip_adapter(loaded, tmp_path)
    ctx, before = Context(Models(file)), painted(loaded)
    unet = loaded.parts["unet"]
    processors, names = list(unet.attn_processors.values()), list(unet.state_dict())
    strong = with_references(loaded, ctx, Reference(model=file.name, picture=shown, weight=1.0))
    weak = with_references(loaded, ctx, Reference(model=file.name, picture=shown, weight=0.3))
    two = with_references(loaded, ctx, *[Reference(model=file.name, picture=shown, weight=w) for w in (0.3, 0.9)])
    assert len({one.numpy().tobytes() for one in (before, strong, weak, two)}) == 4
    assert torch.equal(with_references(loaded, ctx, Reference(model=file.name, picture=shown, weight=0)), before)
    assert torch.equal(painted(loaded), before)
    assert all(a is b for a, b in zip(unet.attn_processors.values(), processors, strict=True))
    assert list(unet.state_dict()) == names
    assert unet.encoder_hid_proj is None
    assert unet.config.encoder_hid_dim_type is None


def test_it_is_what_diffusers_makes_with_the_same_ip_adapter(made: Any, shown: str, tmp_path: Path) -> None:
    loaded = made("sd15")
    file = ip_adapter(loaded, tmp_path)
    mine = with_references(loaded, Context(Models(file)), Reference(model=file.name, picture=shown, weight=0.7))
    other = resident("sd15", tmp_path)
    theirs = other.pipeline("text", other.make_scheduler())
    theirs.load_ip_adapter(str(tmp_path), subfolder="", weight_name=file.name, local_files_only=True)
    theirs.set_ip_adapter_scale(0.7)
    parts = {"image_encoder": theirs.image_encoder, "feature_extractor": theirs.feature_extractor}
    torch.testing.assert_close(painted(other, parts=parts, ip_adapter_image=picture(SIDE)), mine)


def test_references_that_do_not_fit_are_refused_in_words(made: Any, shown: str, tmp_path: Path) -> None:
    sd15, sdxl, flux = made("sd15"), made("sdxl"), made("flux")
    file = ip_adapter(sdxl, tmp_path)
    (tmp_path / "none.safetensors").write_bytes(b"no")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    alone = tmp_path / "alone"
    alone.mkdir()
    lonely = alone / "lonely.safetensors"
    lonely.write_bytes(file.read_bytes())
    (tmp_path / "image_encoder" / "config.json").rename(tmp_path / "kept.json")
    ctx = Context(Models(file, tmp_path / "none.safetensors", tmp_path / "other.safetensors", lonely))
    with pytest.raises(StudioError, match="no image encoder"):
        with_references(sdxl, ctx, Reference(model="lonely.safetensors", picture=shown))
    (tmp_path / "kept.json").rename(tmp_path / "image_encoder" / "config.json")
    for loaded, reference, said in (
        (sd15, Reference(model=file.name, picture=shown), "another model"),
        (sd15, Reference(model="none.safetensors", picture=shown), "cannot be read"),
        (sd15, Reference(model="other.safetensors", picture=shown), "no IP-Adapter"),
        (sd15, Reference(model=file.name), "no picture"),
        (sd15, Reference(picture=shown), "does not look at pictures"),
        (flux, Reference(model=file.name, picture=shown), "takes no IP-Adapter"),
    ):
        with pytest.raises(StudioError, match=said):
            with_references(loaded, ctx, reference)


def test_models_that_look_at_pictures_are_given_them(made: Any, shown: str) -> None:
    flux2, kontext = made("flux2"), made("flux-kontext")
    ctx, one = Context(Models()), Reference(picture=shown)
    with referred(flux2, ctx, [one, one], picture(SIDE)) as found:
        assert found.looks
        assert len(found.call["image"]) == 3
    with referred(kontext, ctx, [one]) as found:
        assert found.call["image"].size == (SIDE, SIDE)
    with pytest.raises(StudioError, match="one picture only"), referred(kontext, ctx, [one], picture(SIDE)):
        pass


# All together ----------------------------------------------------------------------------------------


def with_everything(loaded: Any, ctx: Any, params: Any) -> torch.Tensor:
    with guided(loaded, ctx, params, SIDE, SIDE) as guides:
        return painted(loaded, ctx, use=guides.use("text"), parts=guides.parts, **guides.call)


def test_jobs_in_turn_with_all_guides_make_what_each_makes_alone(made: Any, shown: str, tmp_path: Path) -> None:
    loaded = made("sd15")
    lora = of_diffusers(loaded, tmp_path)
    adapter = ip_adapter(loaded, tmp_path)
    models = Models(lora, adapter, unet_control(loaded, tmp_path / "edges"))
    control = {"model": "edges", "picture": shown}
    asked = {
        "bare": Generate(),
        "all": Generate(
            loras=[Lora(model=lora.name)],
            controls=[Control(**control)],
            references=[Reference(model=adapter.name, picture=shown)],
        ),
        "seen": Generate(references=[Reference(model=adapter.name, picture=shown, weight=1.2)]),
        "lora": Generate(loras=[Lora(model=lora.name, weight=-0.5)], controls=[Control(**control, weight=0.4)]),
    }
    alone = {name: with_everything(loaded, Context(models), params) for name, params in asked.items()}
    assert len({one.numpy().tobytes() for one in alone.values()}) == 4
    jobs = {name: _job(loaded, models, params, name) for name, params in asked.items()}
    mixed, order = together(jobs)
    assert order[:8] == [*asked, *asked]
    for name in asked:
        assert torch.equal(mixed[name], alone[name]), name


def _job(loaded: Any, models: Models, params: Any, name: str) -> Any:
    return lambda turns: with_everything(loaded, Context(models, turns, name), params)


def test_what_does_nothing_is_said_and_uses_follow_the_controls(made: Any, shown: str, tmp_path: Path) -> None:
    loaded = made("sd3")
    params = Generate(loras=[Lora(weight=0)], references=[Reference(picture=shown, weight=0)])
    with guided(loaded, Context(Models()), params, 64, 64) as guides:
        assert guides.use("text") == "text"
        assert guides.call == {} and guides.parts == {}
        assert len(guides.ignored) == 2
    settings = {**loaded.parts["transformer"].config, "extra_conditioning_channels": 0}
    spread(diffusers.SD3ControlNetModel.from_config(settings), 1).save_pretrained(tmp_path / "net")
    params = Generate(controls=[Control(model="net", picture=shown)])
    with guided(loaded, Context(Models(tmp_path / "net")), params, 64, 64) as guides:
        assert guides.use("text") == "control"
        with pytest.raises(StudioError, match="no ControlNet for this"):
            guides.use("image")
