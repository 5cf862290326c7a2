"""The recipe of the starter image model: all stages on made-up pictures, killed and resumed, and loaded plainly."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.starter_pictures import make_pictures

pytestmark = pytest.mark.worker
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


def build(pictures: Path, folder: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "scripts.build_starter_image", "--tiny", "--minutes", "0.1", "--threads", "1"),
        *("--data", str(pictures), "--out", str(folder / "emoji-tiny"), "--state", str(folder / "state"), *more),
    ]


@pytest.fixture(scope="module")
def model(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the recipe writes; its first start is killed in the middle of training."""
    folder = tmp_path_factory.mktemp("build")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    first = subprocess.Popen(
        build(pictures, folder), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert first.stdout is not None
    with first.stdout as lines:
        next(line for line in lines if line.startswith("race-pooled"))
        first.kill()
    first.wait()
    kept = (folder / "state" / "tokenizer" / "tokenizer.json").read_bytes()
    done = subprocess.run(build(pictures, folder), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "autoencoder {" not in done.stdout, "a stage that was done began again"
    assert (folder / "state" / "tokenizer" / "tokenizer.json").read_bytes() == kept, "words have other numbers"
    return folder / "emoji-tiny"


@pytest.mark.slow
def test_all_stages_run_and_resume_and_the_folder_is_plain_diffusers(model):
    import torch
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    assert not [path for path in model.rglob("*") if path.suffix in (".bin", ".pt", ".py", ".pkl", ".ckpt")]
    pipeline: Any = DiffusionPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(disable=True)
    found = pipeline("red ellipse", num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images[0]
    assert found.size == (32, 32)


@pytest.mark.slow
def test_the_hub_reads_the_folder_and_its_card(model):
    from studio.hub.card import read_card

    card = read_card(model)
    assert (card.licence, card.tag) == ("apache-2.0", "text-to-image")
    figures = json.loads((model / "metrics.json").read_text())
    assert figures["pictures"] == 8 and figures["steps"] > 0 and 0 <= figures["top1"] <= 1


def test_requests_vary_and_stay_near_the_name():
    from scripts.starter_image_text import asked

    dice = random.Random(0)
    made = [asked(["red apple", "apple"], dice) for _ in range(300)]
    assert 10 < made.count("") < 60
    assert made.count("red apple") > 60 and made.count("apple") > 20
    assert sum("apple" in text for text in made) > 200


def test_the_list_of_words_is_sound():
    from scripts.starter_image_words import known_names, vocabulary

    known = known_names()
    names = [name for caption, others in known.items() for name in (caption, *others)]
    assert len(names) == len(set(names)), "one name for two pictures"
    assert all(name == name.lower().strip() and name for name in names)
    assert vocabulary(["red apple", "no such thing", "lion face"]) == (
        [0, 2],
        [["red apple", "apple", "fruit"], ["lion face", "lion"]],
    )
    assert vocabulary(["no such thing"]) == ([0], [["no such thing"]])


def test_unknown_words_fall_into_pieces_and_none_ends_the_prompt():
    from scripts.starter_image_text import END, LENGTH, token_ids, train_tokenizer

    tokenizer = train_tokenizer(["red apple", "lion face"])
    assert tokenizer.tokenize("Red APPLE") == ["red</w>", "apple</w>"]
    ids = token_ids(tokenizer, ["übergroß 😀 quux", "lion " * 90])
    assert ids.shape == (2, LENGTH)
    end = tokenizer.convert_tokens_to_ids(END)
    assert ids[0].tolist().index(end) > 5
    assert ids[1, -1] == end
