"""The denoising network of a tiny pipeline as a file of its own: safetensors or GGUF, under diffusers' names or
those of its first authors. In GGUF as llama.cpp's tools write it: axes of one at the end are dropped."""

import re
from pathlib import Path
from typing import Any

# For each family: patterns of diffusers' names and the first authors'. The first that matches a name changes it.
_SD3 = (
    (r"pos_embed\.pos_embed", "pos_embed"), (r"pos_embed\.proj\.", "x_embedder.proj."),
    (r"time_text_embed\.timestep_embedder\.linear_1\.", "t_embedder.mlp.0."),
    (r"time_text_embed\.timestep_embedder\.linear_2\.", "t_embedder.mlp.2."),
    (r"time_text_embed\.text_embedder\.linear_1\.", "y_embedder.mlp.0."),
    (r"time_text_embed\.text_embedder\.linear_2\.", "y_embedder.mlp.2."),
    (r"proj_out\.", "final_layer.linear."), (r"norm_out\.linear\.", "final_layer.adaLN_modulation.1."),
    (r"transformer_blocks\.(\d+)\.attn\.to_([qkv])\.", r"joint_blocks.\1.x_block.attn.qkv.|\2"),
    (r"transformer_blocks\.(\d+)\.attn\.add_([qkv])_proj\.", r"joint_blocks.\1.context_block.attn.qkv.|\2"),
    (r"transformer_blocks\.(\d+)\.attn\.to_out\.0\.", r"joint_blocks.\1.x_block.attn.proj."),
    (r"transformer_blocks\.(\d+)\.attn\.to_add_out\.", r"joint_blocks.\1.context_block.attn.proj."),
    (r"transformer_blocks\.(\d+)\.norm1\.linear\.", r"joint_blocks.\1.x_block.adaLN_modulation.1."),
    (r"transformer_blocks\.(\d+)\.norm1_context\.linear\.", r"joint_blocks.\1.context_block.adaLN_modulation.1."),
    (r"transformer_blocks\.(\d+)\.ff\.net\.0\.proj\.", r"joint_blocks.\1.x_block.mlp.fc1."),
    (r"transformer_blocks\.(\d+)\.ff\.net\.2\.", r"joint_blocks.\1.x_block.mlp.fc2."),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj\.", r"joint_blocks.\1.context_block.mlp.fc1."),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.2\.", r"joint_blocks.\1.context_block.mlp.fc2."),
)  # fmt: skip
_FLUX2 = (
    (r"single_transformer_blocks\.(\d+)\.attn\.to_qkv_mlp_proj\.", r"single_blocks.\1.linear1."),
    (r"single_transformer_blocks\.(\d+)\.attn\.to_out\.", r"single_blocks.\1.linear2."),
    (r"single_transformer_blocks\.(\d+)\.attn\.norm_q\.weight", r"single_blocks.\1.norm.query_norm.scale"),
    (r"single_transformer_blocks\.(\d+)\.attn\.norm_k\.weight", r"single_blocks.\1.norm.key_norm.scale"),
    (r"transformer_blocks\.(\d+)\.attn\.to_([qkv])\.", r"double_blocks.\1.img_attn.qkv.|\2"),
    (r"transformer_blocks\.(\d+)\.attn\.add_([qkv])_proj\.", r"double_blocks.\1.txt_attn.qkv.|\2"),
    (r"transformer_blocks\.(\d+)\.attn\.to_out\.0\.", r"double_blocks.\1.img_attn.proj."),
    (r"transformer_blocks\.(\d+)\.attn\.to_add_out\.", r"double_blocks.\1.txt_attn.proj."),
    (r"transformer_blocks\.(\d+)\.attn\.norm_q\.weight", r"double_blocks.\1.img_attn.norm.query_norm.scale"),
    (r"transformer_blocks\.(\d+)\.attn\.norm_k\.weight", r"double_blocks.\1.img_attn.norm.key_norm.scale"),
    (r"transformer_blocks\.(\d+)\.attn\.norm_added_q\.weight", r"double_blocks.\1.txt_attn.norm.query_norm.scale"),
    (r"transformer_blocks\.(\d+)\.attn\.norm_added_k\.weight", r"double_blocks.\1.txt_attn.norm.key_norm.scale"),
    (r"transformer_blocks\.(\d+)\.ff\.linear_in\.", r"double_blocks.\1.img_mlp.0."),
    (r"transformer_blocks\.(\d+)\.ff\.linear_out\.", r"double_blocks.\1.img_mlp.2."),
    (r"transformer_blocks\.(\d+)\.ff_context\.linear_in\.", r"double_blocks.\1.txt_mlp.0."),
    (r"transformer_blocks\.(\d+)\.ff_context\.linear_out\.", r"double_blocks.\1.txt_mlp.2."),
    (r"time_guidance_embed\.timestep_embedder\.linear_1\.", "time_in.in_layer."),
    (r"time_guidance_embed\.timestep_embedder\.linear_2\.", "time_in.out_layer."),
    (r"(\w+_modulation\w*)\.linear\.", r"\1.lin."), (r"x_embedder\.", "img_in."), (r"context_embedder\.", "txt_in."),
    (r"norm_out\.linear\.", "final_layer.adaLN_modulation.1."), (r"proj_out\.", "final_layer.linear."),
)  # fmt: skip
_Z_IMAGE = (
    (r"all_final_layer\.2-1\.", "final_layer."), (r"all_x_embedder\.2-1\.", "x_embedder."),
    (r"(.+)\.attention\.to_([qkv])\.", r"\1.attention.qkv.|\2"),
    (r"(.+)\.attention\.to_out\.0\.", r"\1.attention.out."),
    (r"(.+)\.attention\.norm_([qk])\.", r"\1.attention.\2_norm."),
)  # fmt: skip
_WAN = (
    (r"condition_embedder\.time_embedder\.linear_1\.", "time_embedding.0."),
    (r"condition_embedder\.time_embedder\.linear_2\.", "time_embedding.2."),
    (r"condition_embedder\.text_embedder\.linear_1\.", "text_embedding.0."),
    (r"condition_embedder\.text_embedder\.linear_2\.", "text_embedding.2."),
    (r"condition_embedder\.time_proj\.", "time_projection.1."), (r"proj_out\.", "head.head."),
    (r"scale_shift_table", "head.modulation"), (r"blocks\.(\d+)\.scale_shift_table", r"blocks.\1.modulation"),
    (r"blocks\.(\d+)\.attn1\.to_out\.0\.", r"blocks.\1.self_attn.o."),
    (r"blocks\.(\d+)\.attn2\.to_out\.0\.", r"blocks.\1.cross_attn.o."),
    (r"blocks\.(\d+)\.attn1\.(?:to_)?", r"blocks.\1.self_attn."),
    (r"blocks\.(\d+)\.attn2\.(?:to_)?", r"blocks.\1.cross_attn."),
    (r"blocks\.(\d+)\.ffn\.net\.0\.proj\.", r"blocks.\1.ffn.0."),
    (r"blocks\.(\d+)\.ffn\.net\.2\.", r"blocks.\1.ffn.2."),
    (r"blocks\.(\d+)\.norm2\.", r"blocks.\1.norm3."),
)  # fmt: skip
_LTX = (
    (r"proj_in\.", "patchify_proj."), (r"time_embed\.", "adaln_single."),
    (r"(transformer_blocks\.\d+\.attn[12])\.norm_([qk])\.", r"\1.\2_norm."),
)
FIRST: dict[str, tuple[tuple[str, str], ...]] = {
    "sd3": _SD3, "flux2": _FLUX2, "z-image": _Z_IMAGE, "wan": _WAN, "ltx": _LTX, "qwen-image": (),
}  # fmt: skip
"""Of Flux 1 and Chroma diffusers translates networks of the real width only: a tiny one keeps diffusers' names."""


def tensors(folder: Path) -> dict[str, Any]:
    """Those of the transformer of the pipeline in `folder`, by diffusers' names."""
    from safetensors.torch import load_file

    return load_file(next(iter(sorted((folder / "transformer").glob("*.safetensors")))))


def first_names(family: str, found: dict[str, Any]) -> dict[str, Any]:
    """As the first authors name them: three projections in one, the last shift before its scale."""
    import torch

    named: dict[str, Any] = {}
    joined: dict[str, dict[str, Any]] = {}
    for name, value in found.items():
        new = next((re.sub(f"^{old}", to, name) for old, to in FIRST[family] if re.match(old, name)), name)
        before, bar, rest = new.partition("|")
        if bar:  # before|q and weight or bias
            joined.setdefault(before + rest[1:], {})[rest[0]] = value
            continue
        named[new] = value
    last = max((int(m[1]) for name in named if (m := re.match(r"joint_blocks\.(\d+)", name))), default=-1)
    for name in named:
        of_last = name.startswith(f"joint_blocks.{last}.context_block.adaLN_modulation")
        if of_last or (family in ("sd3", "flux2") and name.startswith("final_layer.adaLN_modulation")):
            named[name] = torch.cat(named[name].chunk(2)[::-1])
    return named | {name: torch.cat([parts[key] for key in "qkv"]) for name, parts in joined.items()}


def write(found: dict[str, Any], file: Path, kind: str = "Q8_0", architecture: str = "") -> Path:
    """A file of these tensors. kind: of those with two axes in GGUF, where it divides them; else F32, F16 for kernels;
    "BF16" is the kind of all, as in files that were only converted."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix != ".gguf":
        from safetensors.torch import save_file

        save_file({name: value.contiguous().clone() for name, value in found.items()}, file)
        return file
    import gguf

    writer = gguf.GGUFWriter(file, architecture or "tiny")
    wanted = gguf.GGMLQuantizationType[kind]
    block = gguf.GGML_QUANT_SIZES[wanted][0]
    for name, value in found.items():
        data = value.float().numpy()
        while data.ndim > 1 and data.shape[0] == 1:
            data = data[0]
        fits = data.ndim == 2 and data.shape[1] % block == 0
        of = wanted if fits or kind == "BF16" else gguf.GGMLQuantizationType["F16" if data.ndim > 2 else "F32"]
        writer.add_tensor(name, gguf.quantize(data, of), raw_dtype=of)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def network(folder: Path, file: Path, kind: str = "Q8_0") -> Path:
    """The transformer of the pipeline in `folder` alone, under diffusers' own names; `file` may end in .gguf."""
    return write(tensors(folder), file, kind)
