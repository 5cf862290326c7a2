"""Model folders, good and broken. Each broken one is refused in words, and nothing of it is run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from plugins.text import loading
from studio.errors import StudioError
from studio.sdk.operation import ModelInfo
from tests import tiny_models

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_llama(tmp_path_factory.mktemp("models") / "good")


def load(folder: Path, dtype: str = "float32") -> loading.Language:
    return loading.load(ModelInfo(folder.name, str(folder), "text-generation"), "cpu", dtype)


@pytest.mark.parametrize(
    ("breakage", "code", "says"),
    [
        (tiny_models.truncated, "truncated", "truncated"),
        (tiny_models.without_tokenizer, "no-tokenizer", "tokenizer.json"),
        (tiny_models.damaged_tokenizer, "tokenizer", "tokenizer"),
        (tiny_models.with_nan, "not-finite", "norm"),
        (tiny_models.incomplete, "incomplete", "layers.1"),
        (tiny_models.pickle_only, "unsafe-weights", "pytorch_model.bin"),
        (tiny_models.unknown_architecture, "unknown-architecture", "tomorrows-idea"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_folder_is_refused_with_the_reason(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breakage: Callable, code: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = breakage(good, tmp_path / "broken")
    with pytest.raises(StudioError) as caught:
        load(folder)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert not (tmp_path / "pickle-was-read").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '"llama"', "{}", '{"model_type": 7}', "\ufeff\0"])
def test_a_config_that_is_none(good: Path, tmp_path: Path, content: str) -> None:
    folder = tiny_models.with_code(good, tmp_path / "model")
    (folder / "config.json").write_text(content)
    with pytest.raises(StudioError) as caught:
        load(folder)
    assert caught.value.code in ("model-config", "unknown-architecture")


def test_sizes_that_do_not_belong_together(good: Path, tmp_path: Path) -> None:
    folder = tiny_models.with_code(good, tmp_path / "model")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"intermediate_size": 96', '"intermediate_size": 80'))
    with pytest.raises(StudioError) as caught:
        load(folder)
    assert caught.value.code == "model-load"


def test_a_model_that_does_not_write(good: Path, tmp_path: Path) -> None:
    folder = tiny_models.with_code(good, tmp_path / "model")
    (folder / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(StudioError) as caught:
        load(folder)
    assert caught.value.code == "wrong-capability"


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StudioError) as caught:
        load(tmp_path / "nowhere")
    assert caught.value.code == "model-missing"


def test_code_and_kernels_named_by_a_config_are_left_alone(good: Path, tmp_path: Path) -> None:
    language = load(tiny_models.with_code(good, tmp_path / "model"))
    assert type(language.model).__module__.startswith("transformers.")
    assert language.model.config._attn_implementation == "sdpa"
    assert not hasattr(language.model.config, "auto_map")


class Evil:
    """A pickle that leaves a file behind wherever it is read."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "adapter_model.bin", "tokenizer.pkl", "training_args.bin"])
def test_a_pickle_beside_the_weights_is_never_read(good: Path, tmp_path: Path, name: str) -> None:
    folder, mark = Path(shutil.copytree(good, tmp_path / "model")), tmp_path / "was read"
    torch.save(Evil(mark), folder / name)
    adapter = {"peft_type": "LORA", "base_model_name_or_path": str(good), "target_modules": ["q_proj"], "r": 2}
    if name.startswith("adapter"):
        (folder / "adapter_config.json").write_text(json.dumps(adapter))
        with pytest.raises(StudioError, match=r"adapter_model\.safetensors"):
            load(folder)
    else:
        load(folder)
    assert not mark.exists()
    torch.load(folder / name, weights_only=False)
    assert mark.exists(), "the trap does not work"


def test_entries_that_name_code_are_dropped_at_any_depth() -> None:
    raw = {"a": [{"auto_map": 1, "b": 2}], "text_config": {"_attn_implementation_internal": "x", "c": 3}}
    assert loading.trusted(raw) == {"a": [{"b": 2}], "text_config": {"c": 3}}


def test_floats_that_json_cannot_write_are_read_back() -> None:
    raw = {"limit": [0.0, {"__float__": "Infinity"}], "low": {"__float__": "-Infinity"}, "x": {"__float__": "evil"}}
    assert loading.trusted(raw) == {"limit": [0.0, float("inf")], "low": -float("inf"), "x": {"__float__": "evil"}}


def test_what_is_known_of_a_model(good: Path) -> None:
    language = load(good)
    assert (language.context, language.vocabulary) == (tiny_models.CONTEXT, tiny_models.VOCABULARY)
    assert (language.cache, language.chunked, language.last_only) == ("past_key_values", True, True)
    assert language.ends == {1}
    assert language.model.dtype == torch.float32
    assert not language.model.training
    assert not any(p.requires_grad or p.is_inference() for p in language.model.parameters())


def test_weights_come_in_the_dtype_that_is_asked_for(good: Path) -> None:
    assert load(good, "bfloat16").model.dtype == torch.bfloat16


def test_a_recurrent_model_is_known_to_forget_between_chunks(tmp_path: Path) -> None:
    language = load(tiny_models.build_mamba(tmp_path / "mamba"))
    assert (language.cache, language.chunked, language.context) == ("cache_params", False, None)


def test_a_model_without_a_cache(tmp_path: Path) -> None:
    language = load(tiny_models.build_openai_gpt(tmp_path / "gpt"))
    assert (language.cache, language.chunked) == ("", False)


def test_a_model_that_announces_a_cache_and_gives_none(tmp_path: Path) -> None:
    language = load(tiny_models.build_recurrent_gemma(tmp_path / "gemma"))
    assert (language.cache, language.chunked) == ("", False)


def test_an_older_model_without_sdpa_loads(tmp_path: Path) -> None:
    language = load(tiny_models.build_bloom(tmp_path / "bloom"))
    assert language.model.config._attn_implementation in ("eager", "sdpa")
