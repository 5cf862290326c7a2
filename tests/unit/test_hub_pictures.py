"""What the hub says of files and folders around picture models, told from names and shapes alone."""

import json
import math
import struct
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.hub import capability, networks, tensors
from studio.hub.catalogue import Catalogue
from studio.hub.formats import pack_header
from studio.hub.gguf import read_gguf

pytestmark = pytest.mark.unit

U = "model.diffusion_model."
SD15 = {
    f"{U}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{U}input_blocks.1.0.out_layers.3.weight": (320, 320, 3, 3),
    f"{U}input_blocks.1.1.proj_in.weight": (320, 320, 1, 1),
    f"{U}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    f"{U}input_blocks.2.0.out_layers.3.weight": (320, 320, 3, 3),
    f"{U}input_blocks.3.0.op.weight": (320, 320, 3, 3),
    f"{U}input_blocks.4.0.out_layers.3.weight": (640, 320, 3, 3),
    f"{U}input_blocks.5.0.out_layers.3.weight": (640, 640, 3, 3),
    f"{U}out.2.weight": (4, 320, 3, 3),
    "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
    "first_stage_model.encoder.down.0.block.0.conv1.weight": (128, 128, 3, 3),
    "first_stage_model.encoder.down.1.block.0.conv1.weight": (256, 128, 3, 3),
    "first_stage_model.encoder.down.1.block.1.conv1.weight": (256, 256, 3, 3),
    "first_stage_model.encoder.down.0.block.1.conv1.weight": (128, 128, 3, 3),
    "first_stage_model.decoder.conv_in.weight": (256, 4, 3, 3),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
    "cond_stage_model.transformer.text_model.encoder.layers.11.mlp.fc1.weight": (3072, 768),
}
SDXL = {key.replace("cond_stage_model", "conditioner.embedders.0"): value for key, value in SD15.items()} | {
    f"{U}label_emb.0.0.weight": (1280, 2816),
    f"{U}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 2048),
    f"{U}input_blocks.1.1.proj_in.weight": (320, 320),
    "conditioner.embedders.1.model.token_embedding.weight": (49408, 1280),
    "conditioner.embedders.1.model.text_projection": (1280, 1280),
    "conditioner.embedders.1.model.transformer.resblocks.31.ln_1.weight": (1280,),
}


def write(path: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A safetensors file of zeros; sizes are cut to two numbers a side."""
    table, at = {}, 0
    for name, shape in shapes.items():
        size = 1
        for length in shape:
            size *= length
        table[name] = {"dtype": "U8", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(pack_header(table))
        file.truncate(file.tell() + at)
    return path


def gguf(path: Path, architecture: str, shapes: dict[str, tuple[int, ...]], version: int = 3) -> Path:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    data = b"GGUF" + struct.pack("<IQQ", version, len(shapes), 2)
    data += text("general.architecture") + struct.pack("<I", 8) + text(architecture)
    data += text("some.list") + struct.pack("<IIQ", 9, 4, 3) + struct.pack("<III", 1, 2, 3)
    end = 0
    for name, shape in shapes.items():
        data += text(name) + struct.pack("<I", len(shape))
        data += b"".join(struct.pack("<Q", length) for length in reversed(shape)) + struct.pack("<IQ", 8, end)
        end += math.prod(shape) // 32 * 34  # Q8_0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data + bytes(-len(data) % 32 + end))
    return path


@pytest.mark.parametrize(
    ("shapes", "found", "base"),
    [
        ({"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768)},
         "adapter", "sd15"),
        ({"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 1024)},
         "adapter", "sd2"),
        ({"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1280)}, "adapter", "sdxl"),
        ({"unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q.lora_A.weight": (4, 640)},
         "adapter", "sdxl"),
        ({"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 768)}, "adapter", "sd15"),
        ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 3072)}, "adapter", "flux"),
        ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)}, "adapter", "flux"),
        ({"transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight": (4, 1536)}, "adapter", "sd3"),
        ({"transformer_blocks.0.img_mlp.net.2.lora_A.weight": (4, 64)}, "adapter", "qwen-image"),
        ({"transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight": (4, 64)}, "adapter", "flux2"),
        ({"diffusion_model.layers.0.attention.to_q.lora_A.weight": (4, 3840)}, "adapter", "z-image"),
        ({"diffusion_model.blocks.0.cross_attn.q.lora_A.weight": (4, 64)}, "adapter", "wan"),
        ({"transformer.transformer_blocks.0.attn1.to_q.lora_A.weight": (4, 64)}, "adapter", "ltx"),
        ({"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": (4, 64)}, "adapter", ""),
        ({"<cat-toy>": (2, 768)}, "embedding", "sd15"),
        ({"emb_params": (2, 1024)}, "embedding", "sd2"),
        ({"clip_g": (2, 1280), "clip_l": (2, 768)}, "embedding", "sdxl"),
        ({"image_proj.norm.weight": (768,), "ip_adapter.1.to_k_ip.weight": (320, 768)}, "ip-adapter", "sd15"),
        ({"ip_adapter.1.to_k_ip.weight": (640, 2048)}, "ip-adapter", "sdxl"),
        ({"control_model.time_embed.0.weight": (1280, 320),
          "control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768)}, "controlnet", "sd15"),
        ({"controlnet_blocks.0.weight": (9, 9), "single_transformer_blocks.0.attn.to_q.weight": (9, 9)},
         "controlnet", "flux"),
        ({"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_in.weight": (512, 4, 3, 3)}, "vae", ""),
    ],
)  # fmt: skip
def test_a_lone_file_is_known_by_its_tensors(shapes, found, base):
    entry = tensors.told(shapes)
    assert (entry["capability"], entry["config"]["base"]) == (found, base)


@pytest.mark.parametrize(
    ("shapes", "kind", "scale"),
    [
        ({"body.0.weight": (64, 3, 3, 3), "body.1.weight": (64,), "body.34.weight": (48, 64, 3, 3)}, "compact", 4),
        ({"conv_first.weight": (64, 3, 3, 3), "body.0.rdb1.conv1.weight": (32, 64, 3, 3)}, "rrdb", 4),
        ({"params_ema.conv_first.weight": (64, 12, 3, 3), "params_ema.body.0.rdb1.conv1.weight": (1,)}, "rrdb", 2),
        ({"model.0.weight": (64, 3, 3, 3), "model.1.sub.0.RDB1.conv1.0.weight": (1,), "model.3.weight": (1,),
          "model.6.weight": (1,)}, "rrdb", 4),
    ],
)  # fmt: skip
def test_upscalers_are_known_with_their_scale(shapes, kind, scale):
    entry = tensors.told(shapes)
    assert entry["capability"] == "upscaler"
    assert entry["config"] == {"kind": kind, "scale": scale}


def test_checkpoints_of_stable_diffusion_carry_configurations_told_from_shapes():
    entry = tensors.told(SD15)
    parts = entry["config"]["components"]
    assert (entry["capability"], entry["family"]) == ("text-to-image", "StableDiffusionPipeline")
    assert parts["unet"]["block_out_channels"] == [320, 640]
    assert parts["unet"]["layers_per_block"] == 2
    assert parts["unet"]["down_block_types"] == ["CrossAttnDownBlock2D", "DownBlock2D"]
    assert parts["unet"]["attention_head_dim"] == 8
    assert parts["vae"]["block_out_channels"] == [128, 256] and parts["vae"]["layers_per_block"] == 2
    assert parts["text_encoder"]["num_hidden_layers"] == 12 and parts["text_encoder"]["num_attention_heads"] == 12
    assert parts["scheduler"]["prediction_type"] == "epsilon"


def test_xl_inpainting_and_velocity_are_told_apart():
    large = tensors.told(SDXL | {"v_pred": (1,), "ztsnr": (1,)})
    parts = large["config"]["components"]
    assert (large["family"], large["config"]["base"]) == ("StableDiffusionXLPipeline", "sdxl")
    assert parts["unet"]["addition_time_embed_dim"] == 256
    assert parts["unet"]["attention_head_dim"] == [5, 10]
    assert parts["text_encoder_2"]["num_hidden_layers"] == 32
    assert parts["scheduler"]["prediction_type"] == "v_prediction"
    assert parts["scheduler"]["rescale_betas_zero_snr"] is True
    inpaint = tensors.told(SD15 | {f"{U}input_blocks.0.0.weight": (320, 9, 3, 3)})
    assert (inpaint["capability"], inpaint["family"]) == ("image-inpainting", "StableDiffusionInpaintPipeline")
    two = SD15 | {f"{U}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024)}
    assert (
        tensors.told(two, "v2-1_768.safetensors")["config"]["components"]["scheduler"]
        == (tensors.told(SDXL | {"v_pred": (1,)})["config"]["components"]["scheduler"])
    )
    base = tensors.told(two, "512-base-ema.safetensors")["config"]["components"]["scheduler"]
    assert base["prediction_type"] == "epsilon"


@pytest.mark.parametrize(
    ("name", "shapes", "family", "found"),
    [
        ("flux1-dev.safetensors", {"double_blocks.0.img_attn.norm.key_norm.scale": (1,)}, "FluxPipeline",
         "text-to-image"),
        ("flux1-kontext.safetensors", {f"{U}double_blocks.0.img_attn.norm.key_norm.scale": (1,)},
         "FluxKontextPipeline", "image-editing"),
        ("a.safetensors", {"joint_blocks.0.context_block.adaLN_modulation.1.bias": (1,)}, "StableDiffusion3Pipeline",
         "text-to-image"),
        ("qwen_image_edit_2509.safetensors", {"transformer_blocks.0.img_mod.1.weight": (1,)},
         "QwenImageEditPlusPipeline", "image-editing"),
        ("wan.safetensors", {"head.modulation": (1,), "patch_embedding.weight": (5120, 36, 1, 2, 2)},
         "WanImageToVideoPipeline", "image-to-video"),
        ("z.safetensors", {"layers.0.adaLN_modulation.0.weight": (1,)}, "ZImagePipeline", "text-to-image"),
    ],
)  # fmt: skip
def test_networks_alone_are_known(name, shapes, family, found):
    entry = tensors.told(shapes, name)
    assert (entry["family"], entry["capability"]) == (family, found)
    assert entry["config"]["needs"]


def test_what_is_none_of_these_stays_unknown():
    assert tensors.told({"a.weight": (2, 2), "b.bias": (2,)})["capability"] == "unknown"
    assert tensors.told({"model.embed_tokens.weight": (100, 64)})["capability"] == "unknown"


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
@pytest.mark.parametrize("shapes", [SD15, SDXL], ids=["sd15", "sdxl"])
def test_shapes_that_no_such_model_has_do_no_harm(shapes, cut):
    for name in shapes:
        entry = tensors.told(shapes | {name: shapes[name][:cut]})
        assert entry["capability"]
    assert tensors.told(dict.fromkeys(shapes, (0,) * cut))["capability"]
    assert networks.network({"head.modulation": (), "patch_embedding.weight": (1,)}) == {}


@pytest.mark.parametrize(
    ("pipeline", "found"),
    [
        ("FluxKontextPipeline", "image-editing"),
        ("QwenImageEditPlusPipeline", "image-editing"),
        ("StableDiffusionImg2ImgPipeline", "image-to-image"),
        ("StableDiffusionInstructPix2PixPipeline", "image-to-image"),
        ("FluxPipeline", "text-to-image"),
        ("LTXPipeline", "text-to-video"),
        ("WanImageToVideoPipeline", "image-to-video"),
    ],
)
def test_pipelines_by_name(pipeline, found):
    assert capability.of_pipeline(pipeline, "") == found
    assert found not in capability.also(pipeline)


def test_folders_of_one_part_say_what_they_are(tmp_path):
    for name, config in {
        "canny": {"_class_name": "ControlNetModel", "cross_attention_dim": 768},
        "canny-xl": {"_class_name": "ControlNetModel", "cross_attention_dim": 2048},
        "canny-sd3": {"_class_name": "SD3ControlNetModel"},
        "fine-vae": {"_class_name": "AutoencoderKL"},
    }.items():
        write(tmp_path / name / "diffusion_pytorch_model.safetensors", {"a": (2,)})
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    found = {entry.id: entry for entry in Catalogue([tmp_path], None, tmp_path / "none").scan()}
    assert {name: (e.capability, e.config.get("base"), e.problem) for name, e in found.items()} == {
        "canny": ("controlnet", "sd15", None),
        "canny-xl": ("controlnet", "sdxl", None),
        "canny-sd3": ("controlnet", "sd3", None),
        "fine-vae": ("vae", None, None),
    }


def flux_folder(folder: Path) -> Path:
    write(folder / "transformer" / "diffusion_pytorch_model.safetensors", {"a": (4,)})
    (folder / "transformer" / "config.json").write_text("{}")
    index = {"_class_name": "FluxPipeline", "transformer": ["diffusers", "FluxTransformer2DModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def test_a_network_alone_is_usable_as_soon_as_a_folder_of_its_family_is_there(tmp_path):
    shapes = {"double_blocks.0.img_attn.norm.key_norm.scale": (32,), "guidance_in.in_layer.weight": (32, 64)}
    file = gguf(tmp_path / "flux1-dev-q8.gguf", "flux", shapes)
    catalogue = Catalogue([tmp_path], tmp_path / "memory.json", tmp_path / "none")
    entry = catalogue.scan()[0]
    assert entry.problem is not None and entry.problem["code"] == "needs-folder"
    assert (entry.capability, entry.parameters, entry.dtype) == ("text-to-image", 32 + 32 * 64, "q8_0")
    folder = flux_folder(tmp_path / "flux-dev")
    entry = {entry.id: entry for entry in catalogue.scan()}["flux1-dev-q8.gguf"]
    assert entry.problem is None and entry.config["companion"] == str(folder)
    assert entry.config["components"]["transformer"] == {"guidance_embeds": True}
    assert catalogue.find(str(file)).config["companion"] == str(folder)
    again = Catalogue([tmp_path], tmp_path / "memory.json", tmp_path / "none")
    assert [e.config.get("companion") for e in again.scan()] == [e.config.get("companion") for e in catalogue.scan()]


def test_a_broken_folder_completes_nothing(tmp_path):
    write(tmp_path / "net.safetensors", {"double_blocks.0.img_attn.norm.key_norm.scale": (32,)})
    folder = flux_folder(tmp_path / "flux")
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    found = {entry.id: entry for entry in Catalogue([tmp_path], None, tmp_path / "none").scan()}
    assert found["net.safetensors"].problem["code"] == "needs-folder"


@pytest.mark.parametrize(
    ("architecture", "name", "said"),
    [
        ("llama", "token_embd.weight", "a language model (llama)"),
        ("t5encoder", "enc.blk.0.attn_q.weight", "a language model (t5encoder)"),
        ("sdxl", "input_blocks.0.0.weight", "a Stable Diffusion network (sdxl), which is read from safetensors only"),
        ("", "model.diffusion_model.input_blocks.0.0.weight", "a Stable Diffusion network, which"),
        ("hyvid", "double_blocks.0.x.weight", "a model of another kind (hyvid)"),
    ],
)
def test_what_else_is_in_gguf_is_refused_and_named(tmp_path, architecture, name, said):
    gguf(tmp_path / "other.gguf", architecture, {name: (64, 32)})
    entry = Catalogue([tmp_path], None, tmp_path / "none").scan()[0]
    assert entry.problem is not None and entry.problem["code"] == "other-format"
    assert said in entry.problem["detail"]


@pytest.mark.parametrize(
    ("base", "shapes", "found"),
    [
        ("flux", {"double_blocks.18.a": (1,), "single_blocks.37.a": (1,), "img_in.weight": (3072, 64)},
         {"num_layers": 19, "num_single_layers": 38, "in_channels": 64}),
        ("sd3", {"joint_blocks.23.a": (1,), "x_embedder.proj.weight": (1536, 16, 2, 2)},
         {"num_layers": 24, "in_channels": 16}),
        ("z-image", {"layers.29.a": (1,), "context_refiner.1.a": (1,), "x_embedder.weight": (3840, 64)},
         {"num_layers": 30}),
        ("flux2", {"transformer_blocks.7.a": (1,), "guidance_in.in_layer.weight": (1, 1)},
         {"num_layers": 8, "guidance_embeds": True}),
    ],
)  # fmt: skip
def test_a_network_says_how_large_it_is(base, shapes, found):
    assert networks.sizes(shapes, base) == found


def test_a_network_takes_the_folder_of_its_own_size(tmp_path):
    shapes = {f"double_blocks.{number}.img_attn.norm.key_norm.scale": (32,) for number in range(3)}
    gguf(tmp_path / "small.gguf", "flux", shapes)
    for name, blocks in (("large", 19), ("small", 3)):
        config = tmp_path / name / "transformer" / "config.json"
        flux_folder(tmp_path / name)
        catalogue = Catalogue([tmp_path], None, tmp_path / "none")
        config.write_text(json.dumps({"num_layers": blocks}))
        entry = {entry.id: entry for entry in catalogue.scan()}["small.gguf"]
        if name == "large":
            assert entry.problem is not None and "layers: 19; the file's: 3" in entry.problem["detail"]
    assert entry.config["companion"] == str(tmp_path / "small")


NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


@pytest.mark.parametrize(
    ("config", "shapes", "way", "weights"),
    [
        (NF4, {"a.weight": (64, 1), "a.weight.absmax": (2,), "a.weight.quant_map": (16,),
               "a.weight.quant_state.bitsandbytes__nf4": (90,), "a.bias": (8,)}, "nf4", 136),
        ({"load_in_8bit": True}, {"a.weight": (8, 16), "a.SCB": (8,), "a.weight_format": ()}, "int8", 128),
        ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Int8WeightOnlyConfig"}}},
         {"a._weight_qdata": (8, 16), "a._weight_scale": (8, 1), "n.weight": (4,)}, "int8", 132),
        ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Int4WeightOnlyConfig"}}},
         {"a._weight_qdata": (8, 16), "a._weight_scale": (8, 1)}, "int4", 256),
        ({"quant_method": "gptq"}, {"a.qweight": (3, 3)}, "gptq", 9),
    ],
)  # fmt: skip
def test_a_folder_of_packed_weights_says_how_and_how_many(tmp_path, config, shapes, way, weights):
    folder = flux_folder(tmp_path / "flux")
    write(folder / "transformer" / "diffusion_pytorch_model.safetensors", shapes)
    (folder / "transformer" / "config.json").write_text(json.dumps({"quantization_config": config}))
    entry = Catalogue([tmp_path], None, tmp_path / "none").scan()[0]
    assert (entry.dtype, entry.parameters, entry.problem) == (way, weights, None)
    assert entry.config["packed"] == {"parts": {"transformer": way}, "size": entry.size, "parameters": weights}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[:40], "truncated"),
        (lambda data: data[:-1], "truncated"),
        (lambda data: b"GGUX" + data[4:], "not-gguf"),
        (lambda data: data[:4] + struct.pack("<I", 9) + data[8:], "other-format"),
        (lambda data: data[:8] + struct.pack("<Q", 1 << 60) + data[16:], "unsafe"),
        (lambda data: data[:24] + struct.pack("<Q", 1 << 50) + data[32:], "unsafe"),
        (lambda data: b"", "truncated"),
    ],
)
def test_hostile_gguf_is_refused_without_taking_memory(tmp_path, change, code):
    file = gguf(tmp_path / "a.gguf", "flux", {"a": (2, 32)})
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(StudioError) as caught:
        read_gguf(file)
    assert caught.value.code == code


def test_a_model_that_can_do_two_things_is_found_for_both(tmp_path):
    folder = flux_folder(tmp_path / "clips")
    index = {"_class_name": "LTXPipeline", "transformer": ["diffusers", "LTXVideoTransformer3DModel"], "flag": True}
    (folder / "model_index.json").write_text(json.dumps(index))
    catalogue = Catalogue([tmp_path], None, tmp_path / "none")
    assert [e.id for e in catalogue.models("image-to-video")] == [e.id for e in catalogue.models("text-to-video")]
    assert catalogue.find("", "image-to-video").config["settings"] == {"flag": True}
