"""Tiny diffusion pipelines of every family in diffusers' layout, randomly initialised and deterministic.

`make(family, folder)` writes one; each is a few hundred kB and paints noise in a second. Also files that other
programs write: single-file checkpoints in the original layout, ControlNets, LoRAs come from tiny_checkpoints.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!?.,:;'\"-()[]{}|_<>/\\#@%&*+=~^$`\n"
QWEN_WORDS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN_SIZE = 256 + len(QWEN_WORDS)
T5_SIZE = 4 + len(LETTERS) + 1
CLIP_SIZE = 514


def make(family: str, folder: Path) -> Path:
    """Writes the tiny pipeline of `family` into `folder` (made when it is not there) and returns it."""
    import torch
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    before = torch.get_rng_state()
    torch.manual_seed(sum(map(ord, family)))
    try:
        pipeline = MAKERS[family]()
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                _spread(part)
                pipeline.register_modules(**{name: part.eval()})
        pipeline.save_pretrained(folder, safe_serialization=True)
        if family == "qwen-image-edit":
            _with_processor(folder)
    finally:
        torch.set_rng_state(before)
    return folder


def _spread(module: Any) -> None:
    """Layers that begin at zero are given numbers: else half of a tiny network would say nothing."""
    import torch

    for parameter in module.parameters():
        if parameter.dim() > 1 and not bool(parameter.detach().any()):
            torch.nn.init.normal_(parameter, std=0.05)


def copied(good: Path, folder: Path, without: tuple[str, ...] = ()) -> Path:
    """The pipeline `good` in another folder, without the parts named; model_index.json says that they are none."""
    shutil.copytree(good, folder)
    index = json.loads((folder / "model_index.json").read_text())
    for part in without:
        shutil.rmtree(folder / part)
        index[part] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    return folder


# Tokenizers: one letter or byte is one token.


def clip_tokenizer() -> Any:
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    assert len(words) == CLIP_SIZE
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def t5_tokenizer(length: int = 64) -> Any:
    from transformers import T5Tokenizer

    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS)]
    words.append(("ä", -3.0))
    assert len(words) == T5_SIZE
    return T5Tokenizer(vocab=words, extra_ids=0, model_max_length=length)


def qwen_tokenizer() -> Any:
    from tokenizers import pre_tokenizers
    from transformers import Qwen2Tokenizer

    words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *QWEN_WORDS]
    tokenizer = Qwen2Tokenizer(
        vocab={word: number for number, word in enumerate(words)},
        merges=[],
        additional_special_tokens=list(QWEN_WORDS[1:]),
        model_max_length=2048,
    )
    tokenizer.chat_template = CHAT
    return tokenizer


# Text encoders.


def clip_text(hidden: int, projected: bool, layers: int = 3) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=CLIP_SIZE,
        hidden_size=hidden,
        intermediate_size=hidden * 2,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 64),
        max_position_embeddings=77,
        projection_dim=hidden,
        hidden_act="gelu" if projected else "quick_gelu",
        bos_token_id=CLIP_SIZE - 2,
        eos_token_id=CLIP_SIZE - 1,
        pad_token_id=CLIP_SIZE - 1,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def t5_text(hidden: int = 32, kind: str = "T5") -> Any:
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        vocab_size=T5_SIZE, d_model=hidden, d_kv=8, d_ff=hidden * 2, num_layers=2, num_heads=4,
        relative_attention_num_buckets=8, feed_forward_proj="gated-gelu", decoder_start_token_id=0,
    )  # fmt: skip
    return getattr(transformers, f"{kind}EncoderModel")(config)


def qwen3_text(layers: int) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=QWEN_SIZE, hidden_size=16, intermediate_size=32, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=2048, bos_token_id=None,
        eos_token_id=QWEN_SIZE - 5, pad_token_id=QWEN_SIZE - 7,
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def qwen_vl_text() -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": QWEN_SIZE, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]},
            "bos_token_id": None, "eos_token_id": 258, "pad_token_id": 256,
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 16,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
            "fullatt_block_indexes": [1],
        },
        image_token_id=QWEN_SIZE - 2, video_token_id=QWEN_SIZE - 1, vision_start_token_id=QWEN_SIZE - 4,
        vision_end_token_id=QWEN_SIZE - 3,
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config)


# Parts that families share.


def vae(channels: int = 4, *, quant: bool = True, **more: Any) -> Any:
    """Halves a picture twice where the real ones do it three times, so that small pictures are enough."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(16, 16, 32), norm_num_groups=16, layers_per_block=1, latent_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        use_quant_conv=quant, use_post_quant_conv=quant, sample_size=64, **more,
    )  # fmt: skip


def unet(**more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    settings: dict[str, Any] = {
        "sample_size": 16, "block_out_channels": (32, 64), "layers_per_block": 1, "norm_num_groups": 32,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "attention_head_dim": 8,
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "cross_attention_dim": 32,
    }  # fmt: skip
    return UNet2DConditionModel(**{**settings, **more})


def _flow(shift: float = 3.0, **more: Any) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(shift=shift, **more)


def _noise(kind: str, **more: Any) -> Any:
    import diffusers

    return getattr(diffusers, kind)(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1, timestep_spacing="leading",
        **more,
    )  # fmt: skip


def sd15() -> Any:
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline(
        vae=vae(scaling_factor=0.18215), text_encoder=clip_text(32, False), tokenizer=clip_tokenizer(), unet=unet(),
        scheduler=_noise("PNDMScheduler", skip_prk_steps=True), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def sdxl() -> Any:
    from diffusers import StableDiffusionXLPipeline

    network = unet(
        block_out_channels=(32, 64), cross_attention_dim=96, attention_head_dim=(1, 1), use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=8, transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=64 + 6 * 8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.13025), text_encoder=clip_text(32, False), text_encoder_2=clip_text(64, True),
        tokenizer=clip_tokenizer(), tokenizer_2=clip_tokenizer(), unet=network,
        scheduler=_noise("EulerDiscreteScheduler"), add_watermarker=False,
    )  # fmt: skip


def sd3() -> Any:
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    network = SD3Transformer2DModel(
        sample_size=32, patch_size=2, in_channels=16, out_channels=16, num_layers=2, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=96, caption_projection_dim=32, pooled_projection_dim=96,
        pos_embed_max_size=96,
    )  # fmt: skip
    return StableDiffusion3Pipeline(
        transformer=network, scheduler=_flow(), vae=vae(16, quant=False, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=clip_text(32, True), tokenizer=clip_tokenizer(), text_encoder_2=clip_text(64, True),
        tokenizer_2=clip_tokenizer(), text_encoder_3=t5_text(96), tokenizer_3=t5_tokenizer(),
    )  # fmt: skip


def _flux(pipeline: str, guided: bool) -> Any:
    import diffusers

    network = diffusers.FluxTransformer2DModel(
        in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, guidance_embeds=guided, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    return getattr(diffusers, pipeline)(
        scheduler=_flow(use_dynamic_shifting=True),
        vae=vae(16, quant=False, scaling_factor=0.3611, shift_factor=0.1159), text_encoder=clip_text(32, False),
        tokenizer=clip_tokenizer(), text_encoder_2=t5_text(), tokenizer_2=t5_tokenizer(), transformer=network,
    )  # fmt: skip


def chroma() -> Any:
    from diffusers import ChromaPipeline, ChromaTransformer2DModel

    network = ChromaTransformer2DModel(
        in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=(4, 4, 8), approximator_num_channels=8, approximator_hidden_dim=32,
        approximator_layers=1,
    )  # fmt: skip
    return ChromaPipeline(
        scheduler=_flow(), vae=vae(16, quant=False, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=t5_text(), tokenizer=t5_tokenizer(), transformer=network,
    )  # fmt: skip


def flux2() -> Any:
    from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel

    network = Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=48, timestep_guidance_channels=16, mlp_ratio=2.0, axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )  # fmt: skip
    decoder = AutoencoderKLFlux2(
        block_out_channels=(16, 32), down_block_types=("DownEncoderBlock2D",) * 2, norm_num_groups=8,
        up_block_types=("UpDecoderBlock2D",) * 2, layers_per_block=1, latent_channels=4, sample_size=64,
    )  # fmt: skip
    return Flux2KleinPipeline(
        scheduler=_flow(use_dynamic_shifting=True), vae=decoder, text_encoder=qwen3_text(28),
        tokenizer=qwen_tokenizer(), transformer=network, is_distilled=False,
    )  # fmt: skip


def z_image() -> Any:
    from diffusers import ZImagePipeline, ZImageTransformer2DModel

    network = ZImageTransformer2DModel(
        in_channels=16, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16,
        axes_dims=[4, 6, 6], axes_lens=[1024, 256, 256],
    )  # fmt: skip
    return ZImagePipeline(
        scheduler=_flow(), vae=vae(16, quant=False, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=qwen3_text(3), tokenizer=qwen_tokenizer(), transformer=network,
    )  # fmt: skip


def _qwen(pipeline: str, **more: Any) -> Any:
    import diffusers

    network = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    decoder = diffusers.AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 2, 4], num_res_blocks=1, temperal_downsample=[False, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    return getattr(diffusers, pipeline)(
        scheduler=_flow(use_dynamic_shifting=True), vae=decoder, text_encoder=qwen_vl_text(),
        tokenizer=qwen_tokenizer(), transformer=network, **more,
    )  # fmt: skip


def _with_processor(folder: Path) -> None:
    """What Qwen2VLProcessor would write; that class cannot be made where torchvision is not installed."""
    from transformers import Qwen2VLImageProcessorPil

    Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16).save_pretrained(folder / "processor")
    qwen_tokenizer().save_pretrained(folder / "processor")
    index = json.loads((folder / "model_index.json").read_text())
    index["processor"] = ["transformers", "Qwen2VLProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))


def wan(pipeline: str = "WanPipeline", channels: int = 4, **more: Any) -> Any:
    import diffusers
    from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel

    network = WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, in_channels=channels, out_channels=4, text_dim=32, freq_dim=16,
        ffn_dim=32, num_layers=2, rope_max_seq_len=64,
    )  # fmt: skip
    decoder = AutoencoderKLWan(
        base_dim=8, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=1, latents_mean=[0.0] * 4, latents_std=[1.0] * 4
    )
    return getattr(diffusers, pipeline)(
        tokenizer=t5_tokenizer(512), text_encoder=t5_text(kind="UMT5"), vae=decoder, transformer=network,
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
        **more,
    )  # fmt: skip


def ltx() -> Any:
    from diffusers import AutoencoderKLLTXVideo, LTXPipeline, LTXVideoTransformer3DModel

    network = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_attention_heads=2, attention_head_dim=16, cross_attention_dim=32,
        num_layers=1, caption_channels=32,
    )  # fmt: skip
    decoder = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1), patch_size=4,
        spatio_temporal_scaling=(True, True, False, False), decoder_spatio_temporal_scaling=(True, True, False, False),
    )  # fmt: skip
    return LTXPipeline(
        scheduler=_flow(use_dynamic_shifting=True), vae=decoder, text_encoder=t5_text(), tokenizer=t5_tokenizer(128),
        transformer=network,
    )  # fmt: skip


MAKERS: dict[str, Callable[[], Any]] = {
    "sd15": sd15,
    "sdxl": sdxl,
    "sd3": sd3,
    "flux": lambda: _flux("FluxPipeline", True),
    "chroma": chroma,
    "flux2": flux2,
    "z-image": z_image,
    "qwen-image": lambda: _qwen("QwenImagePipeline"),
    "flux-kontext": lambda: _flux("FluxKontextPipeline", True),
    "qwen-image-edit": lambda: _qwen("QwenImageEditPipeline", processor=None),
    "wan": wan,
    # The noise, a mask of four frames, and the first picture.
    "wan-image": lambda: wan("WanImageToVideoPipeline", 12, image_processor=None, image_encoder=None),
    "ltx": ltx,
}
