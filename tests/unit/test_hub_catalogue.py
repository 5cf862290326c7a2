"""The catalogue: what is recognised, what is refused and why, what is remembered, what is found."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.hub import inspect
from studio.hub.catalogue import Catalogue
from studio.hub.formats import pack_header

pytestmark = pytest.mark.unit

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 1,
    "vocab_size": 8, "max_position_embeddings": 256,
}  # fmt: skip
CARD = """---
license: apache-2.0
pipeline_tag: text-generation
tags:
- tales
---
# Tales

A small model that **tells** [tales](https://example.org).
"""


def weights(*names: str) -> bytes:
    names = names or ("a",)
    table = {n: {"dtype": "F32", "shape": [2], "data_offsets": [i * 8, i * 8 + 8]} for i, n in enumerate(names)}
    return pack_header(table) + bytes(8 * len(names))


def model(folder: Path, config: object = LLAMA, **files: bytes | str | None) -> Path:
    """A whole small model; files with None are left out. In names, "__" stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, bytes | str | None] = {
        "config__json": config if isinstance(config, bytes) else json.dumps(config),
        "model__safetensors": weights(),
        "tokenizer__json": "{}",
    }
    for name, data in (content | files).items():
        if data is not None:
            (folder / name.replace("__", ".")).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def catalogue(tmp_path, root):
    return Catalogue([root], tmp_path / "data" / "models.json", tmp_path / "shipped")


def only(catalogue: Catalogue):
    found = catalogue.scan()
    assert len(found) == 1, [entry.id for entry in found]
    return found[0]


def problem(catalogue: Catalogue) -> str:
    entry = only(catalogue)
    assert entry.problem and entry.problem["title"] and entry.problem["detail"] and entry.problem["hint"]
    with pytest.raises(StudioError):
        entry.require_usable()
    return entry.problem["code"]


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


def test_the_layout_of_the_hubs_cache(root, catalogue):
    repository = root / "models--org--tales"
    old, new = repository / "snapshots" / ("0" * 40), repository / "snapshots" / ("1" * 40)
    blobs = repository / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "w").write_bytes(weights())
    for snapshot in (old, new):
        model(snapshot, model__safetensors=None)
        (snapshot / "model.safetensors").symlink_to("../../blobs/w")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots" / "not-a-model").mkdir()
    entries = {entry.id: entry for entry in catalogue.scan()}
    assert set(entries) == {"org/tales", "org/tales@11111111"}
    assert entries["org/tales"].path == str(old) and entries["org/tales"].problem is None
    (old / "model.safetensors").unlink()
    (old / "model.safetensors").symlink_to("../../../secret")
    assert {e.id: e for e in catalogue.scan()}["org/tales"].problem["code"] == "link-outside"
    (old / "model.safetensors").unlink()
    (old / "model.safetensors").symlink_to("../../blobs/gone")
    assert {e.id: e for e in catalogue.scan()}["org/tales"].problem["code"] == "missing-weights"


def pipeline(folder: Path, **changes) -> Path:
    parts = {"unet": ["diffusers", "UNet2DConditionModel"], "scheduler": ["diffusers", "DDIMScheduler"]}
    index = {"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None], **parts, **changes}
    (folder / "unet").mkdir(parents=True)
    (folder / "scheduler").mkdir()
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "unet" / "config.json").write_text('{"sample_size": 8}')
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights("a", "b"))
    (folder / "scheduler" / "scheduler_config.json").write_text('{"num_train_timesteps": 1000}')
    return folder


def test_pipelines(root, catalogue):
    folder = pipeline(root / "sd")
    entry = only(catalogue)
    assert (entry.layout, entry.capability, entry.parameters, entry.problem) == ("diffusers", "text-to-image", 4, None)
    assert entry.family == "StableDiffusionPipeline" and entry.config["components"]["unet"]["sample_size"] == 8
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights()[:-1])
    assert problem(catalogue) == "truncated"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"unet": ["os", "system"]}, "unsafe"),
        ({"unet": ["pipeline", "Evil"]}, "unsafe"),
        ({"../unet": ["diffusers", "UNet2DConditionModel"]}, "unsafe"),
        ({"vae": ["diffusers", "AutoencoderKL"]}, "missing-weights"),
        ({"_class_name": "os; system"}, "bad-config"),
        ({"_class_name": None}, "bad-config"),
        ({"_class_name": ["pipeline", "../x"]}, "bad-config"),
    ],
    ids=str,
)
def test_53_to_60_pipelines_with_code_of_their_own(root, catalogue, changes, code):
    pipeline(root / "sd", **changes)
    assert problem(catalogue) == code


def test_57_a_sampler_with_absurd_numbers_and_other_parts(root, catalogue):
    folder = pipeline(root / "sd")
    (folder / "scheduler" / "scheduler_config.json").write_text('{"num_train_timesteps": 1000000000000}')
    assert problem(catalogue) == "bad-config"
    shutil.rmtree(folder)
    pipeline(root / "sd")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")
    assert problem(catalogue) == "pickle"
    shutil.rmtree(folder)
    pipeline(root / "sd")
    (root.parent / "elsewhere").mkdir()
    shutil.rmtree(folder / "unet")
    (folder / "unet").symlink_to(root.parent / "elsewhere")
    assert problem(catalogue) == "link-outside"
    (folder / "model_index.json").write_text("[]")
    assert problem(catalogue) == "bad-json"


def test_lone_files_and_adapters(root, catalogue):
    (root / "style.safetensors").write_bytes(weights("unet.lora_A.weight"))
    (root / "sd15.safetensors").write_bytes(weights("model.diffusion_model.x"))
    (root / "old.ckpt").write_bytes(b"\x80\x02")
    (root / "data.bin").write_bytes(b"anything")
    adapter = root / "peft"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "x"}')
    (adapter / "adapter_model.safetensors").write_bytes(weights("base.lora_A.weight"))
    entries = {entry.id: entry for entry in catalogue.scan()}
    assert {(e.id, e.capability, (e.problem or {}).get("code")) for e in entries.values()} == {
        ("style.safetensors", "adapter", None),
        ("sd15.safetensors", "unknown", None),
        ("old.ckpt", "unknown", "pickle"),
        ("peft", "adapter", None),
    }
    assert entries["peft"].family == "lora" and entries["style.safetensors"].layout == "file"


def test_what_is_no_model_is_not_listed(root, catalogue):
    (root / "app").mkdir()
    (root / "app" / "config.json").write_text('{"theme": "dark"}')
    (root / ".git").mkdir()
    model(root / ".hidden")
    (root / "notes.txt").write_text("x")
    assert catalogue.scan() == []


def test_models_inside_models_are_only_checkpoints(root, catalogue):
    model(root / "run")
    model(root / "run" / "checkpoint-500")
    model(root / "run" / "onnx")
    assert {entry.id for entry in catalogue.scan()} == {"run", "run/checkpoint-500"}


def test_depth_and_loops_are_bounded(root, catalogue):
    deep = root
    for _ in range(9):
        deep = deep / "d"
    model(deep / "too-deep")
    model(root / "d" / "m")
    (root / "loop").symlink_to(root)
    (root / "d" / "up").symlink_to("..")
    elsewhere = root.parent / "elsewhere"
    model(elsewhere / "linked")
    (elsewhere / "again").symlink_to(elsewhere)
    (root / "disk").symlink_to(elsewhere)
    assert {entry.id for entry in catalogue.scan()} == {"d/m", "disk/linked"}


def test_folders_that_are_away_or_closed(tmp_path, root):
    other = tmp_path / "other"
    model(other / "m")
    model(root / "n")
    catalogue = Catalogue([root, tmp_path / "nowhere", other, other], tmp_path / "c.json", tmp_path / "shipped")
    assert [entry.id for entry in catalogue.scan()] == ["m", "n"]
    assert [(Path(f.path).name, f.models, f.problem is None) for f in catalogue.folders] == [
        ("shipped", 0, True),
        ("models", 1, True),
        ("nowhere", 0, False),
        ("other", 1, True),
    ]
    other.rename(tmp_path / "gone")
    assert [entry.id for entry in catalogue.scan()] == ["n"]
    (tmp_path / "gone").rename(other)
    assert [entry.id for entry in catalogue.scan()] == ["m", "n"]


def test_a_folder_inside_that_cannot_be_listed(root, catalogue, monkeypatch):
    model(root / "m")
    (root / "closed").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [entry.id for entry in catalogue.scan()] == ["m"]


def test_a_model_whose_files_cannot_be_read(root, catalogue, monkeypatch):
    model(root / "m")
    real = Path.open

    def refuse(self, *args, **kwargs):
        if self.name == "model.safetensors":
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    assert problem(catalogue) == "unreadable"


def test_unchanged_folders_are_not_read_again(tmp_path, root, monkeypatch):
    for number in range(3):
        model(root / f"m{number}")
    memory = tmp_path / "c.json"
    first = Catalogue([root], memory, tmp_path / "shipped").scan()
    looked: list[str] = []
    real = inspect.huggingface
    monkeypatch.setattr(inspect, "huggingface", lambda path, *rest: looked.append(path.name) or real(path, *rest))
    later = Catalogue([root], memory, tmp_path / "shipped")
    assert later.scan() == first and looked == []
    written = memory.stat().st_mtime_ns
    assert later.scan() == first and memory.stat().st_mtime_ns == written
    (root / "m1" / "model.safetensors").write_bytes(weights("a", "b"))
    assert {entry.parameters for entry in later.scan()} == {2, 4} and looked == ["m1"]
    (root / "m2" / "tokenizer.json").unlink()
    assert later.find("m2").problem is None
    later.scan()
    assert looked == ["m1", "m2"] and later.find("m2").problem["code"] == "missing-tokenizer"
    shutil.rmtree(root / "m0")
    assert [entry.id for entry in later.scan()] == ["m1", "m2"]


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"{}", b'{"rules": 1, "places": []}', b'{"rules": 1, "places": {"a": [1, [2]]}}']
)
def test_a_damaged_memory_costs_only_time(tmp_path, root, damage):
    model(root / "m")
    memory = tmp_path / "c.json"
    memory.write_bytes(damage)
    assert [entry.id for entry in Catalogue([root], memory, tmp_path / "shipped").scan()] == ["m"]
    memory.unlink()
    memory.mkdir()
    assert [entry.id for entry in Catalogue([root], memory, tmp_path / "shipped").scan()] == ["m"]


def test_finding_by_id_path_and_nothing(tmp_path, root):
    model(root / "org" / "b", README__md=CARD)
    model(root / "a", model__safetensors=None)
    starter = model(tmp_path / "shipped" / "tales")
    catalogue = Catalogue([root], None, tmp_path / "shipped")
    assert catalogue.find("org/b").id == catalogue.find(str(root / "org" / "b")).id == catalogue.find("b").id == "org/b"
    assert catalogue.find("", "text-generation").path == str(starter) and catalogue.find("").starter
    assert catalogue.find("a").problem is not None
    assert [entry.id for entry in catalogue.models("text-generation")] == ["tales", "a", "org/b"]
    for ref, capability in (
        ("nothing", ""),
        ("", "text-to-image"),
        (str(tmp_path / "x"), ""),
        ("\x00", ""),
        ("~x", ""),
    ):
        with pytest.raises(StudioError) as caught:
            catalogue.find(ref, capability)
        assert caught.value.code == "unknown-model"
    with pytest.raises(StudioError) as caught:
        catalogue.find("nothing")
    assert "tales, org/b" in caught.value.detail


def test_a_path_outside_the_folders(tmp_path, catalogue):
    outside = model(tmp_path / "outside")
    entry = catalogue.find(str(outside))
    assert (entry.id, entry.title, entry.problem) == (str(outside), "outside", None)
    (outside / "model.safetensors").write_bytes(b"")
    assert catalogue.find(str(outside)).problem["code"] == "truncated"
    assert catalogue.find(str(outside / "model.safetensors")).layout == "file"


def test_two_models_of_one_name(tmp_path, root):
    model(root / "m")
    model(tmp_path / "second" / "m", LLAMA | {"hidden_size": 2})
    catalogue = Catalogue([root, tmp_path / "second"], None, tmp_path / "shipped")
    first, second = catalogue.scan()
    assert first.id == "m" and second.id.startswith("m@") and catalogue.find(second.id).config["hidden_size"] == 2
    assert [entry.id for entry in catalogue.scan()] == [first.id, second.id]


def test_a_folder_that_is_a_model_itself(tmp_path):
    catalogue = Catalogue([model(tmp_path / "tales")], None, tmp_path / "shipped")
    assert [entry.id for entry in catalogue.scan()] == ["tales"]


def test_the_models_shipped_with_the_application_are_usable():
    entries = [entry for entry in Catalogue([], None).scan() if entry.starter]
    assert all(entry.problem is None for entry in entries)


def test_a_read_only_disk(tmp_path):
    """A real read-only file system; skipped where nothing may be mounted."""
    mount = tmp_path / "mount"
    mount.mkdir()
    script = """if True:
        import sys
        from pathlib import Path
        from studio.hub.catalogue import Catalogue
        from studio.hub.hashes import HashCache, weights_hash
        root = Path(sys.argv[1])
        catalogue = Catalogue([root], root / "cache.json", root / "shipped")
        print([entry.id for entry in catalogue.scan()], [entry.id for entry in catalogue.scan()])
        print(len(weights_hash(root / "m", HashCache(root / "hashes.json"))))
    """
    model(tmp_path / "m")
    shell = 'mount -t tmpfs none "$1" && cp -r "$2" "$1/m" && mount -o remount,ro "$1" && exec "$3" -c "$4" "$1"'
    probe = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$1"', "sh", str(mount)], capture_output=True
    )
    if probe.returncode:
        pytest.skip("this system lets us mount nothing")
    command = ["unshare", "-m", "sh", "-c", shell, "sh", str(mount), str(tmp_path / "m"), sys.executable, script]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.splitlines() == ["['m'] ['m']", "64"], run.stderr
