"""The race of the starter image model's designs: run at a tiny size and interrupted, and each part for itself."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.starter_pictures import make_pictures

pytestmark = pytest.mark.worker
CARD = "# emoji\n\n## How the layout was chosen\nSo.\n\n## Limits\nMany.\n"


@pytest.fixture(autouse=True)
def one_thread():
    before, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
    torch.set_rng_state(state)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def vae():
    from scripts.starter_image_autoencoder import build_autoencoder

    torch.manual_seed(0)
    return build_autoencoder(32, (8, 16, 16)).eval()


@pytest.fixture(scope="module")
def tokenizer():
    from scripts.starter_image_text import train_tokenizer

    return train_tokenizer(["red ellipse", "blue rectangle"])


@pytest.mark.slow
def test_designs_race_in_turns_and_go_on_after_they_were_stopped(pictures, vae, tmp_path, monkeypatch):
    from scripts import race_starter_image as race

    monkeypatch.setattr(race, "SLICES", 2)
    vae.save_pretrained(tmp_path / "vae")
    state = tmp_path / "state"
    options = ["--tiny", "--minutes", "0.01", "--code-minutes", "0.004", "--data", str(pictures)]
    options += ["--vae", str(tmp_path / "vae"), "--state", str(state)]
    with monkeypatch.context() as patch:
        turns, real = itertools.count(), race.train
        patch.setattr(race, "train", lambda *given, **more: real(*given, **more) if next(turns) < 2 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            race.main(options)
    before = race.lines_of(state / "results.jsonl")
    assert [line["design"] for line in before] == ["pooled", "min-snr"]
    facts = json.loads((state / "facts.json").read_text())
    assert facts["code_steps"] > 0 and len(facts["parameters"]) == 3

    race.main(options)
    lines = race.lines_of(state / "results.jsonl")
    assert lines[:2] == before
    assert [line["design"] for line in lines if line["part"] == 1] == ["pooled", "min-snr", "masked"]
    for name in facts["parameters"]:
        first, *rest = [line for line in lines if line["design"] == name]
        assert first["minutes"] == 0.005 and {line["minutes"] for line in rest} == {0.01}
        assert first["steps"] < rest[0]["steps"]
        assert [line["guidance"] for line in rest] == [3.0, 1.5, 6.0, 3.0] and rest[-1]["names"] == "all"
        with Image.open(state / f"sheet-{name}-2.png") as shown:
            assert shown.size == (8 * 32, 32)
    assert (state / "race.md").read_text().count("| SD with min-SNR |") == 2 + 1 + 1

    (tmp_path / "README.md").write_text(CARD)
    for _ in range(2):  # the second time in the place of the first
        race.main(["--state", str(state), "--card", str(tmp_path)])
        card = (tmp_path / "README.md").read_text()
        assert card == CARD.replace("## Limits", f"## The longer race\n{(state / 'race.md').read_text()}\n## Limits")


def test_only_rounds_that_all_have_run_are_compared():
    from scripts.starter_image_report import race_section

    figures = {"top1": 0.5, "top5": 0.5, "look1": 0.5, "look5": 0.5, "error": 0.1, "steps": 1, "guidance": 3.0}
    lines = [
        figures | {"design": name, "part": part, "minutes": part, "names": "some"}
        for name, part in (("a", 1), ("b", 1), ("a", 2))
    ]
    facts = {"pictures": 8, "asked": 4, "batch": 2, "seed": 7, "codes": 2, "code_minutes": 1, "code_steps": 1}
    facts |= {"guidance": 3.0, "psnr": {"plain": 1.0, "codes": 1.0}, "parameters": {"a": 1, "b": 2}}
    text = race_section(facts | {"layouts": {"a": "One", "b": "Two"}}, lines)
    assert "| 1 | One | 1 |" in text and "| 1 | Two | 1 |" in text and "| 2 |" not in text


@pytest.mark.parametrize(("ratio", "weight"), [(0.25, 0.2), (1.0, 0.5), (20.0, 5 / 21)])
def test_min_snr_weights_of_v_are_those_of_the_paper(ratio, weight):
    from scripts.starter_image_latent import min_snr

    signal = torch.tensor((ratio / (1 + ratio)) ** 0.5)
    assert min_snr(signal, (1 - signal.square()).sqrt(), 5.0).item() == pytest.approx(weight, rel=1e-5)


def test_the_loss_is_weighted_only_when_asked_for(tokenizer):
    from scripts.starter_image_latent import Painter, Shape
    from scripts.starter_image_text import token_ids

    plain = Painter("cross", Shape((16, 32, 32), 32, 2), tokenizer, 8)
    ids, latents = token_ids(tokenizer, ["red ellipse"] * 4), torch.randn(4, 4, 8, 8)
    losses = []
    for plain.gamma in (None, 0.0, 5.0):
        torch.manual_seed(1)
        losses.append(plain.loss(latents, ids).item())
    assert losses[1] == 0.0 < losses[2] < losses[0]


def test_codes_begin_as_the_autoencoder_without_them(vae):
    from scripts.starter_image_codes import colours_of, middles, through_codes, tokens_of, with_codes
    from scripts.starter_image_data import to_model

    raw = torch.randint(0, 256, (3, 4, 32, 32), dtype=torch.uint8)
    colours = to_model(raw)[0]
    with torch.no_grad():
        latents = vae.encode(colours).latent_dist.mode()
        model = with_codes(vae, latents, 16).eval()
        torch.testing.assert_close(model.encode(colours).latents, latents, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.decoder(model.post_quant_conv(latents)), vae.decode(latents).sample)
        tokens = tokens_of(model, raw)
        assert tokens.shape == (3, 8, 8) and tokens.unique().numel() == 16
        again = through_codes(model, colours)[0].clamp(-1, 1)
        torch.testing.assert_close(colours_of(model, tokens), again, atol=1e-5, rtol=1e-4)
    corners = torch.tensor([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0], [9.0, 9.0]])
    found = middles((corners[:, None] + 0.1 * torch.randn(4, 50, 2)).flatten(0, 1), 4)
    assert torch.cdist(corners, found).amin(1).max() < 0.1


@pytest.fixture(scope="module")
def taught(tokenizer, tmp_path_factory):
    """A tiny painter of masked tokens that was taught two pictures, and those; its clock counts looks at it."""
    from scripts.starter_image_masked import MaskedPainter, MaskedShape
    from scripts.starter_image_stage import Stage
    from scripts.starter_image_training import train

    torch.manual_seed(0)
    examples = torch.randint(0, 6, (2, 4, 4))
    looks = itertools.count()
    stage = Stage("masked", tmp_path_factory.mktemp("masked"), 10, clock=lambda: next(looks) / 100)
    model = MaskedPainter(MaskedShape(32, 1, 2, 32, 32, 1, 16, 32, 2), tokenizer, 4, 6)
    names = [["red ellipse"], ["blue rectangle"]]
    return train(examples, names, tokenizer, stage, model, batch=8, rate=5e-3), examples


def test_masked_tokens_learn_what_belongs_to_a_name(taught, tokenizer):
    from scripts.starter_image_masked import paint_masked

    model, examples = taught
    made = paint_masked(model, tokenizer, ["blue rectangle", "red ellipse"], steps=6)
    assert (made == examples.flip(0)).float().mean() > 0.7
    assert (made == examples).float().mean() < 0.5


@pytest.mark.expects_log  # diffusers keeps this pipeline as it is and says so
def test_masked_tokens_are_painted_as_by_the_pipeline_of_amused(taught, tokenizer, vae):
    from diffusers.pipelines.deprecated.amused.pipeline_amused import AmusedPipeline
    from diffusers.schedulers.scheduling_amused import AmusedScheduler

    from scripts.starter_image_codes import with_codes
    from scripts.starter_image_masked import paint_masked

    model, _ = taught
    coder = with_codes(vae, torch.randn(1, 4, 8, 8), 6)
    pipeline: Any = AmusedPipeline(coder, tokenizer, model.text, model.transformer, AmusedScheduler(mask_token_id=6))
    pipeline.set_progress_bar_config(disable=True)
    texts = ["an ellipse", "green"]
    told = {"num_inference_steps": 4, "guidance_scale": 2.0, "output_type": "latent"}
    theirs = pipeline(texts, generator=torch.Generator().manual_seed(3), **told).images
    assert torch.equal(theirs, paint_masked(model, tokenizer, texts, steps=4, guidance=2.0, seed=3))


def test_the_look_of_a_picture_is_known_however_pale():
    from scripts.starter_image_judge import judged

    truth = torch.ones(6, 3, 32, 32)
    for i in range(6):
        truth[i, i % 3, 4 * i : 4 * i + 8, 8:24] = -1.0
    pale = 1 + 0.3 * (truth[1:] - 1)
    found = judged(pale, truth, torch.arange(1, 6))
    assert found["look1"] == 1.0 and found["error"] > 0.0
    swapped = judged(pale.flip(0), truth, torch.arange(1, 6))
    assert swapped["look1"] == pytest.approx(0.2)
