"""A language model out of a GGUF file: known to the catalogue, unpacked, the same as its folder; or refused."""

from pathlib import Path

import pytest
import torch

from plugins.text.backend import Generate
from plugins.text.loading import load
from plugins.text.params import Generate as Params
from studio.errors import StudioError
from studio.hub.catalogue import Catalogue
from studio.sdk.operation import ModelInfo
from tests import tiny_gguf, tiny_models
from tests.text_context import Context, Models

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_qwen2(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.of_qwen2(folder, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_the_catalogue_knows_it_and_warns_of_its_memory(file: Path, folder: Path) -> None:
    [entry] = Catalogue([file.parent], None, file.parent / "none").scan()
    assert (entry.problem, entry.capability, entry.family) == (None, "text-generation", "qwen2")
    assert any("as much memory as the model it was made of" in note for note in entry.notes)
    weights = sum(tensor.numel() for tensor in load_folder(folder).model.parameters())
    assert entry.parameters == weights
    assert (entry.config["hidden_size"], entry.config["max_position_embeddings"]) == (48, tiny_models.CONTEXT)


def load_folder(path: Path, weights: str = "as stored"):
    return load(ModelInfo(path.name, str(path), "text-generation"), "cpu", "float32", weights)


def test_it_is_the_model_it_was_made_of(file: Path, folder: Path) -> None:
    packed, whole = load_folder(file), load_folder(folder)
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        assert torch.equal(packed.model(ids).logits, whole.model(ids).logits)
    text = tiny_models.WORDS[:200]
    assert packed.tokenizer(text)["input_ids"] == whole.tokenizer(text)["input_ids"]
    assert (packed.ends, packed.context, packed.vocabulary) == (whole.ends, whole.context, whole.vocabulary)


def test_a_text_is_written_with_it(file: Path, folder: Path) -> None:
    asked = {"prompt": "Once upon a time", "max_tokens": 20, "seed": 4}
    contexts = [Context(Models(path)) for path in (file, folder)]
    for ctx, name in zip(contexts, (file.name, folder.name), strict=True):
        Generate().run(Params(model=name, **asked), ctx)
    assert contexts[0].streamed == contexts[1].streamed
    assert "unpacked: it takes as much memory as in full" in contexts[0].stages[0][0]


@pytest.mark.parametrize(
    ("without", "architecture", "code"),
    [("layers.1", "qwen2", "incomplete"), ("", "tomorrows", "model-load")],
    ids=["incomplete", "unknown"],
)
def test_what_cannot_be_unpacked_is_said(
    folder: Path, tmp_path: Path, without: str, architecture: str, code: str
) -> None:
    broken = tiny_gguf.of_qwen2(folder, tmp_path / "broken.gguf", without, architecture)
    with pytest.raises(StudioError) as caught:
        load_folder(broken)
    assert caught.value.code == code and "safetensors" in caught.value.hint


def test_a_file_cut_short_and_one_in_fewer_bits(file: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(StudioError) as caught:
        load_folder(short)
    assert caught.value.code == "model-load"
    with pytest.raises(StudioError, match="fewer bits already"):
        load_folder(file, "int8")
