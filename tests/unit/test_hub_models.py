"""What the catalogue recognises in a model's folder, and what it refuses and why."""

import json

import pytest

from tests.unit.catalogue_rig import CARD, LLAMA, catalogue_of, model, models_folder, only, problem, weights

pytestmark = pytest.mark.unit
root = pytest.fixture(models_folder)
catalogue = pytest.fixture(catalogue_of)


def test_a_model_is_described(root, catalogue):
    folder = model(root / "tales", README__md=CARD)
    entry = only(catalogue)
    assert entry.model_dump() | {"config": {}} == {
        "id": "tales",
        "title": "tales",
        "path": str(folder),
        "layout": "huggingface",
        "capability": "text-generation",
        "also": (),
        "family": "llama",
        "size": (folder / "model.safetensors").stat().st_size,
        "parameters": 2,
        "dtype": "float32",
        "context": 256,
        "licence": "apache-2.0",
        "card_excerpt": "A small model that tells tales.",
        "problem": None,
        "notes": (),
        "config": {},
        "starter": False,
    }
    assert entry.config["hidden_size"] == 4
    info = entry.to_info("ab")
    assert (info.id, info.path, info.parameters, info.sha256) == ("tales", str(folder), 2, "ab")
    assert entry.require_usable() is entry


@pytest.mark.parametrize(
    ("config", "capability"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "text-generation"),
        ({"architectures": ["Qwen2ForCausalLM"]}, "text-generation"),
        ({"architectures": ["MambaForCausalLM"]}, "text-generation"),
        ({"architectures": ["T5ForConditionalGeneration"]}, "text2text-generation"),
        ({"architectures": ["WhisperForConditionalGeneration"]}, "automatic-speech-recognition"),
        ({"architectures": ["Qwen2VLForConditionalGeneration"]}, "image-text-to-text"),
        ({"architectures": ["LlavaForConditionalGeneration"]}, "image-text-to-text"),
        ({"architectures": ["Gemma3ForCausalLM"]}, "text-generation"),
        ({"architectures": ["Gemma3ForConditionalGeneration"], "vision_config": {}}, "image-text-to-text"),
        ({"architectures": ["VoxtralForConditionalGeneration"], "audio_config": {}}, "automatic-speech-recognition"),
        ({"architectures": ["MarianMTModel"]}, "text2text-generation"),
        ({"architectures": ["BertForMaskedLM"]}, "fill-mask"),
        ({"architectures": ["BertForSequenceClassification"]}, "text-classification"),
        ({"architectures": ["ViTForImageClassification"]}, "image-classification"),
        ({"architectures": ["Wav2Vec2ForCTC"]}, "automatic-speech-recognition"),
        ({"architectures": ["MusicgenForConditionalGeneration"]}, "text-to-audio"),
        ({"architectures": ["VitsModel"]}, "text-to-speech"),
        ({"architectures": ["SpeechT5ForTextToSpeech"]}, "text-to-speech"),
        ({"architectures": ["CLIPModel"]}, "zero-shot-image-classification"),
        ({"architectures": ["DPTForDepthEstimation"]}, "depth-estimation"),
        ({"architectures": ["BertModel"]}, "feature-extraction"),
        ({"model_type": "mamba"}, "text-generation"),
        ({"model_type": "never-heard-of"}, "unknown"),
        ({"architectures": [5, {}], "model_type": ["a"]}, "unknown"),
    ],
    ids=str,
)
def test_capabilities(root, catalogue, config, capability):
    model(root / "m", config)
    entry = only(catalogue)
    assert (entry.capability, entry.problem) == (capability, None)


def test_the_card_decides_where_the_architecture_does_not(root, catalogue):
    model(root / "m", {"model_type": "new"}, README__md="---\npipeline_tag: text-to-speech\n---\n")
    assert only(catalogue).capability == "text-to-speech"


BROKEN = {
    "truncated": ({"model__safetensors": weights()[:-3]}, "truncated"),
    "empty": ({"model__safetensors": b""}, "truncated"),
    "LFS pointer": ({"model__safetensors": b"version https://git-lfs.github.com/spec/v1\n"}, "lfs-pointer"),
    "web page": ({"model__safetensors": b"<html>404</html>"}, "html"),
    "no tokenizer": ({"tokenizer__json": None}, "missing-tokenizer"),
    "tokenizer is a page": ({"tokenizer__json": "<html>"}, "bad-json"),
    "tokenizer is cut": ({"tokenizer__json": '{"version": "1.0", "model": {"type": "BPE"'}, "truncated"),
    "tokenizer.json is empty": ({"tokenizer__json": ""}, "truncated"),
    "tokenizer is empty": ({"tokenizer__json": None, "vocab__txt": ""}, "truncated"),
    "no configuration": ({"config__json": None}, "missing-config"),
    "no weights": ({"model__safetensors": None}, "missing-weights"),
    "pickle only": ({"model__safetensors": None, "pytorch_model__bin": b"PK\x03\x04"}, "pickle"),
    "pickle is a pointer": (
        {"model__safetensors": None, "pytorch_model__bin": b"version https://git-lfs"},
        "lfs-pointer",
    ),
    "GGUF only": ({"model__safetensors": None, "model__gguf": b"GGUF"}, "other-format"),
    "another name": ({"model__safetensors": None, "weights__safetensors": weights()}, "weights-name"),
    "case of the name": ({"model__safetensors": None, "model__SafeTensors": weights()}, "weights-name"),
    "a part without its list": (
        {"model__safetensors": None, "model-00001-of-00002__safetensors": weights()},
        "missing-weights",
    ),
    "index out of the folder": (
        {"model__safetensors": None, "model__safetensors__index__json": '{"weight_map": {"a": "../x.safetensors"}}'},
        "unsafe",
    ),
    "a part missing": (
        {"model__safetensors": None, "model__safetensors__index__json": '{"weight_map": {"a": "b.safetensors"}}'},
        "missing-weights",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_models_are_listed_with_the_reason(root, catalogue, case):
    files, code = BROKEN[case]
    model(root / "m", **files)
    assert problem(catalogue) == code


def test_a_pickle_is_refused_with_the_way_out(root, catalogue):
    model(root / "m", model__safetensors=None, pytorch_model__bin=b"\x80\x02")
    assert problem(catalogue) == "pickle"
    assert "safetensors" in only(catalogue).problem["hint"] and "not opened" in only(catalogue).problem["detail"]


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (b"[]", "bad-json"),
        (b"{", "bad-json"),
        (b"", "bad-json"),
        (b'"text"', "bad-json"),
        (json.dumps(LLAMA).encode("utf-16"), "bad-json"),
        (b'{"a":' * 100_000, "bad-json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "bad-json"),
        (b"{" + b" " * (5 << 20) + b"}", "unsafe"),
        (LLAMA | {"num_hidden_layers": 10**9}, "bad-config"),
        (LLAMA | {"n_layer": 10**9}, "bad-config"),
        (LLAMA | {"vocab_size": -5}, "bad-config"),
        (LLAMA | {"num_attention_heads": 0}, "bad-config"),
        (LLAMA | {"hidden_size": "big"}, "bad-config"),
        (LLAMA | {"hidden_size": True}, "bad-config"),
        (LLAMA | {"hidden_size": 4.5}, "bad-config"),
        (LLAMA | {"hidden_size": {"a": 1}}, "bad-config"),
        (LLAMA | {"intermediate_size": [4, 10**9]}, "bad-config"),
        (LLAMA | {"text_config": {"vocab_size": 1 << 70}}, "bad-config"),
        (LLAMA | {"hidden_size": 100_000, "num_hidden_layers": 100}, "bad-config"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_41_to_45_configurations_that_make_no_sense(root, catalogue, config, code):
    model(root / "m", config)
    assert problem(catalogue) == code


def test_38_39_what_runs_code_is_taken_out_and_said(root, catalogue):
    evil = {
        "auto_map": {"AutoModel": "evil.Model"},
        "attn_implementation": "someone/kernel",
        "_attn_implementation": "someone/kernel",
        "_attn_implementation_internal": "someone/kernel",
        "custom_pipelines": {"a": {"impl": "evil.P"}},
        "trust_remote_code": True,
    }
    model(root / "m", LLAMA | evil | {"text_config": evil, "list": [evil]}, evil__py="import os")
    entry = only(catalogue)
    assert entry.problem is None
    assert "evil" not in json.dumps(entry.config) and "kernel" not in json.dumps(entry.config)
    assert entry.config["hidden_size"] == 4
    assert any("auto_map" in note for note in entry.notes) and any("Python" in note for note in entry.notes)


def test_numbers_of_mixed_models_pass(root, catalogue):
    """Real configurations write Infinity, null, lists per layer and -1."""
    config = LLAMA | {
        "intermediate_size": [8, 16],
        "num_key_value_heads": 0,
        "head_dim": 0,
        "max_position_embeddings": -1,
    }
    model(root / "m", json.dumps(config | {"time_step_limit": [0.0, float("inf")]}).encode())
    entry = only(catalogue)
    assert entry.problem is None and entry.context == 0 and "time_step_limit" not in entry.config


def test_text_that_is_no_text_does_not_stop_the_list(root, catalogue):
    model(root / "m", rb'{"model_type": "\ud800", "x\udfff": "\ud800", "architectures": ["\ud800ForCausalLM"]}')
    model(root / "caf\udce9")
    entries = {entry.id: entry for entry in catalogue.scan()}
    assert entries["m"].capability == "text-generation"
    assert entries["caf?"].problem["code"] == "bad-name"
    json.dumps([entry.model_dump() for entry in entries.values()], ensure_ascii=False).encode()


def test_sharded_models(root, catalogue):
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    files = {file.replace(".", "__"): weights(name) for name, file in parts.items()}
    model(
        root / "m", model__safetensors=None, model__safetensors__index__json=json.dumps({"weight_map": parts}), **files
    )
    entry = only(catalogue)
    assert (entry.problem, entry.parameters, entry.size) == (None, 4, 2 * len(weights("a")))
