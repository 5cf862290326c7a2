"""Texts of other programs become values of the form, with a sentence on what could not be taken."""

import json

import pytest

from plugins.image import foreign
from plugins.image.params import Control
from tests.foreign_texts import graph, read

pytestmark = pytest.mark.unit

A1111 = (
    "a fox <lora:ink-wash:0.8> <lora:other:0.3>\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 3, Size: 512x768, Model: v1-5-pruned-emaonly, "
    "Tiling: True, Version: v1.6.0"
)


def test_a1111_with_installed_and_missing_models() -> None:
    found = read({"parameters": A1111})
    assert (found.program, found.operation) == ("A1111", "image.generate")
    assert found.params == {
        "prompt": "a fox",
        "negative": "blurry",
        "steps": 20,
        "sampler": "dpmpp-2m",
        "schedule": "karras",
        "guidance": 7.0,
        "seed": 3,
        "width": 512,
        "height": 768,
        "model": "sd15/v1-5",
        "loras": [{"model": "loras/Ink Wash", "weight": 0.8}],
    }
    assert found.left == (
        "“Tiling: True” has no counterpart here.",
        "The LoRA “other” (0.3) is not installed.",
    )


def test_without_a_catalogue_names_stay() -> None:
    assert foreign.read({"parameters": A1111}).params["loras"][1] == {"model": "other", "weight": 0.3}


def test_exif_comment_and_a_missing_main_model() -> None:
    found = read({"UserComment": A1111.replace("v1-5-pruned-emaonly", "dreamy_v9")})
    assert "model" not in found.params and "“dreamy_v9” is not installed" in " ".join(found.left)
    assert found.models == {"model": "dreamy_v9"}


def test_a_transformed_picture_asks_for_its_picture() -> None:
    found = read({"parameters": A1111 + ", Denoising strength: 0.6"})
    assert (found.operation, found.params["strength"]) == ("image.transform", 0.6)
    assert "The picture that it began with is not in the file; choose it." in found.left


def test_values_out_of_range_are_left_out_in_words() -> None:
    found = read({"parameters": "x\nSteps: 9000, Sampler: Euler, CFG scale: nan, Seed: -5, Size: 99999x1"})
    assert found.params == {"prompt": "x", "negative": "", "sampler": "euler"}
    assert len(found.left) == 3


def test_comfy_default_graph() -> None:
    found = read({"prompt": json.dumps(graph()), "workflow": "{}"})
    assert (found.program, found.operation) == ("ComfyUI", "image.generate")
    assert found.params == {
        "prompt": "a fox",
        "negative": "blurry, bad_hands",
        "steps": 20,
        "guidance": 8.0,
        "sampler": "dpmpp-2m",
        "schedule": "karras",
        "seed": 156680208700286 % 2**32,
        "width": 512,
        "height": 640,
        "model": "sd15/v1-5",
        "clip_skip": 1,
        "loras": [{"model": "loras/Ink Wash", "weight": 0.7}],
    }
    assert [s for s in found.left if "seed" in s] and [s for s in found.left if "learned word" in s]


def test_comfy_second_pass() -> None:
    upscaled = {
        "20": {"class_type": "LatentUpscaleBy", "inputs": {"scale_by": 1.5, "samples": ["3", 0]}},
        "21": {
            "class_type": "KSampler",
            "inputs": {**graph()["3"]["inputs"], "denoise": 0.4, "steps": 12, "seed": 9, "latent_image": ["20", 0]},
        },
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["21", 0], "vae": ["4", 2]}},
    }
    found = read({"prompt": json.dumps(graph(**upscaled))}).params
    assert (found["hires"], found["hires_by"], found["hires_strength"], found["hires_steps"]) == (
        1.5,
        "latent",
        0.4,
        12,
    )
    assert (found["steps"], found["width"]) == (20, 512)
    upscaled["20"]["inputs"] = {"width": 1024, "height": 1280, "samples": ["3", 0]}
    assert read({"prompt": json.dumps(graph(**upscaled))}).params["hires"] == 2.0


def test_comfy_from_a_picture_and_through_a_mask() -> None:
    loaded = {
        "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["30", 0], "vae": ["4", 2]}},
        "30": {"class_type": "LoadImage", "inputs": {"image": "start.png"}},
        "3": {"class_type": "KSampler", "inputs": {**graph()["3"]["inputs"], "denoise": 0.55}},
    }
    found = read({"prompt": json.dumps(graph(**loaded))})
    assert (found.operation, found.params["strength"]) == ("image.transform", 0.55)
    assert "It began with the picture “start.png”." in found.left
    loaded["5"]["class_type"] = "VAEEncodeForInpaint"
    assert read({"prompt": json.dumps(graph(**loaded))}).operation == "image.inpaint"


def test_comfy_custom_sampler_with_flux_guidance_and_controlnet() -> None:
    nodes = {
        "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "v1-5-pruned-emaonly"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": ["14", 0], "clip": ["x", 0]}},
        "3": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["2", 0]}},
        "4": {
            "class_type": "ControlNetApplyAdvanced",
            "inputs": {
                "positive": ["3", 0],
                "negative": ["2", 0],
                "control_net": ["5", 0],
                "strength": 0.6,
                "start_percent": 0,
                "end_percent": 0.8,
            },
        },
        "5": {"class_type": "ControlNetLoader", "inputs": {"control_net_name": "control_v11p_sd15_canny.pth"}},
        "6": {"class_type": "BasicGuider", "inputs": {"model": ["7", 0], "conditioning": ["4", 0]}},
        "7": {"class_type": "ModelSamplingSD3", "inputs": {"model": ["1", 0], "shift": 3.0}},
        "8": {"class_type": "RandomNoise", "inputs": {"noise_seed": 77}},
        "9": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "10": {
            "class_type": "BasicScheduler",
            "inputs": {"scheduler": "simple", "steps": 4, "denoise": 1.0, "model": ["7", 0]},
        },
        "11": {"class_type": "EmptySD3LatentImage", "inputs": {"width": ["15", 0], "height": 1024, "batch_size": 4}},
        "12": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["8", 0],
                "guider": ["6", 0],
                "sampler": ["9", 0],
                "sigmas": ["10", 0],
                "latent_image": ["11", 0],
            },
        },
        "13": {"class_type": "PreviewImage", "inputs": {"images": ["12", 0]}},
        "14": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "a lighthouse"}},
        "15": {"class_type": "PrimitiveInt", "inputs": {"value": 768}},
    }
    found = read({"prompt": json.dumps(nodes)})
    assert found.params == {
        "prompt": "a lighthouse",
        "guidance": 3.5,
        "seed": 77,
        "steps": 4,
        "sampler": "euler",
        "schedule": "simple",
        "width": 768,
        "height": 1024,
        "model": "sd15/v1-5",
        "shift": 3.0,
        "controls": [{**Control(model="canny", weight=0.6, end=0.8).model_dump()}],
    }
    assert any("batch of 4" in sentence for sentence in found.left)
    assert any("ControlNet" in sentence for sentence in found.left)


def test_comfy_workflow_alone() -> None:
    def node(id, type, values, **inputs):
        return {
            "id": id,
            "type": type,
            "mode": 0,
            "widgets_values": values,
            "inputs": [{"name": name, "link": link} for name, link in inputs.items()],
        }

    editor = {
        "nodes": [
            node(
                3,
                "KSampler",
                [5, "randomize", 20, 8, "euler", "normal", 1],
                model=1,
                positive=4,
                negative=6,
                latent_image=2,
            ),
            node(4, "CheckpointLoaderSimple", ["v1-5-pruned-emaonly.safetensors"]),
            node(5, "EmptyLatentImage", [512, 512, 1]),
            node(6, "CLIPTextEncode", ["a fox"]),
            node(7, "CLIPTextEncode", ["blurry"]),
            node(8, "VAEDecode", [], samples=7),
            node(9, "SaveImage", ["x"], images=9),
        ],
        "links": [
            [1, 4, 0, 3, 0, "MODEL"],
            [2, 5, 0, 3, 3, "LATENT"],
            [4, 6, 0, 3, 1, "C"],
            [6, 7, 0, 3, 2, "C"],
            [7, 3, 0, 8, 0, "LATENT"],
            [9, 8, 0, 9, 0, "IMAGE"],
        ],
    }
    found = read({"workflow": json.dumps(editor)})
    assert found.params["prompt"] == "a fox" and found.params["negative"] == "blurry" and found.params["steps"] == 20
    assert found.params["model"] == "sd15/v1-5" and "editor's graph" in found.left[0]


def test_comfy_in_exif_of_a_webp() -> None:
    found = read({"Model": "prompt:" + json.dumps(graph()), "Make": "workflow:{}"})
    assert found.program == "ComfyUI" and found.params["prompt"] == "a fox"


def test_invokeai() -> None:
    said = {
        "generation_mode": "img2img",
        "positive_prompt": "a fox++ in (deep snow)1.3",
        "negative_prompt": "blurry",
        "width": 512,
        "height": 512,
        "seed": 5,
        "cfg_scale": 7.5,
        "steps": 30,
        "scheduler": "dpmpp_2m_k",
        "strength": 0.6,
        "model": {"key": "k", "name": "v1-5-pruned-emaonly", "base": "sd-1", "type": "main"},
        "loras": [{"model": {"name": "Ink Wash"}, "weight": 0.75}],
        "controlnets": [],
        "app_version": "4.2.0",
    }
    found = read({"invokeai_metadata": json.dumps(said)})
    assert (found.program, found.operation) == ("InvokeAI", "image.transform")
    assert found.params["prompt"] == "a (fox:1.21) in (deep snow:1.3)"
    assert (found.params["sampler"], found.params["schedule"]) == ("dpmpp-2m", "karras")
    assert found.params["loras"] == [{"model": "loras/Ink Wash", "weight": 0.75}]


def test_invokeai_before() -> None:
    image = {
        "prompt": [{"prompt": "a fox [blurry]", "weight": 1}],
        "steps": 50,
        "cfg_scale": 7.5,
        "seed": 4,
        "width": 512,
        "height": 512,
        "sampler": "k_lms",
    }
    found = read({"sd-metadata": json.dumps({"model_weights": "v1-5", "image": image})})
    assert (found.params["prompt"], found.params["negative"], found.params["sampler"]) == ("a fox", "blurry", "lms")
    found = read({"Dream": '"a \\"red\\" fox [blurry]" -s 50 -S 123 -W 512 -H 640 -C7.5 -A k_euler_a -f 0.4'})
    assert found.params["prompt"] == 'a "red" fox' and found.params["seed"] == 123 and found.params["height"] == 640
    assert found.operation == "image.transform" and found.params["sampler"] == "euler-a"


def test_fooocus_json_and_lines() -> None:
    said = {
        "prompt": "a fox",
        "negative_prompt": "",
        "styles": "['Fooocus V2']",
        "steps": 30,
        "resolution": "(896, 1152)",
        "guidance_scale": 4.0,
        "base_model": "v1-5-pruned-emaonly.safetensors",
        "sampler": "dpmpp_2m_sde_gpu",
        "scheduler": "karras",
        "seed": "9",
        "loras": [["ink_wash.safetensors", 0.1, "hash"]],
    }
    found = read({"parameters": json.dumps(said), "fooocus_scheme": "fooocus"})
    assert found.program == "Fooocus" and found.params["sampler"] == "dpmpp-2m-sde"
    assert (found.params["width"], found.params["height"], found.params["seed"]) == (896, 1152, 9)
    assert found.params["loras"] == [{"model": "loras/Ink Wash", "weight": 0.1}] and "styles" in found.left[0]
    assert read({"parameters": A1111, "fooocus_scheme": "a1111"}).program == "Fooocus"


def test_swarm_novelai_draw_things() -> None:
    swarm = {
        "sui_image_params": {
            "prompt": "a fox",
            "model": "v1-5-pruned-emaonly",
            "seed": 1,
            "steps": 9,
            "cfgscale": 6,
            "width": 64,
            "height": 64,
            "sampler": "euler",
            "loras": ["ink_wash"],
            "loraweights": ["0.5"],
        }
    }
    found = read({"parameters": json.dumps(swarm)})
    assert found.program == "SwarmUI" and found.params["loras"][0]["weight"] == 0.5 and found.params["guidance"] == 6
    novel = {
        "prompt": "{{fox}}, [snow]",
        "uc": "blurry",
        "steps": 28,
        "scale": 5,
        "seed": 2,
        "sampler": "k_euler_ancestral",
    }
    found = read({"Software": "NovelAI", "Comment": json.dumps(novel), "Description": "x", "Source": "Diffusion V4"})
    assert found.program == "NovelAI" and found.params["prompt"] == "((fox:1.05):1.05), (snow:0.9524)"
    drawn = {
        "c": "a fox",
        "uc": "",
        "seed": 3,
        "steps": 8,
        "scale": 4.5,
        "sampler": "DPM++ 2M AYS",
        "size": "512x640",
        "model": "m",
    }
    packet = (
        f"<x><exif:UserComment><rdf:Alt><rdf:li xml:lang='x'>{json.dumps(drawn).replace(chr(34), '&quot;')}</rdf:li>"
    )
    found = read({"XML:com.adobe.xmp": packet})
    assert found.program == "Draw Things" and found.params["schedule"] == "ays" and found.params["height"] == 640
