"""Texts of pictures by other programs, for tests of what is read from them."""

from plugins.image import foreign

MODELS = [
    {
        "id": "sd15/v1-5",
        "title": "Stable Diffusion 1.5",
        "path": "/m/v1-5-pruned-emaonly.safetensors",
        "capability": "text-to-image",
    },
    {"id": "loras/Ink Wash", "title": "Ink", "path": "/m/loras/ink_wash.safetensors", "capability": "adapter"},
    {"id": "broken", "title": "x", "path": "/m/other.safetensors", "capability": "adapter", "problem": {"title": "no"}},
    {"id": "canny", "title": "canny", "path": "/m/control_v11p_sd15_canny.pth", "capability": "controlnet"},
]


def graph(**changes) -> dict:
    """ComfyUI's default graph, with a LoRA."""
    nodes = {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 156680208700286,
                "steps": 20,
                "cfg": 8,
                "sampler_name": "dpmpp_2m",
                "scheduler": "karras",
                "denoise": 1,
                "model": ["10", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
            },
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5-pruned-emaonly.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 640, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["11", 0]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry, embedding:bad_hands.pt", "clip": ["11", 0]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x", "images": ["8", 0]}},
        "10": {
            "class_type": "LoraLoader",
            "inputs": {
                "lora_name": "ink_wash.safetensors",
                "strength_model": 0.7,
                "strength_clip": 1,
                "model": ["4", 0],
                "clip": ["4", 1],
            },
        },
        "11": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2, "clip": ["10", 1]}},
    }
    return nodes | changes


def read(texts: dict, models=MODELS) -> foreign.Foreign:
    return foreign.read(texts, models)
