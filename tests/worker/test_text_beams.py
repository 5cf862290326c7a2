"""Beam search against transformers' generate(num_beams=…), and by hand."""

import itertools
import math
from typing import Any

import pytest
import torch

from plugins.text.beams import beam_search
from plugins.text.decoding import Sequence
from plugins.text.loading import Language, load
from studio.sdk.operation import ModelInfo
from tests import tiny_models

pytestmark = pytest.mark.worker
PROMPT = list(range(3, 20))


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Language:
    folder = tiny_models.build_llama(tmp_path_factory.mktemp("models") / "llama")
    return load(ModelInfo("llama", str(folder), "text-generation"), "cpu", "float32")


def test_the_beams_are_those_of_generate(language: Language) -> None:
    """Through the decode loop's own cache. Some of the ends are likely, so that beams finish at different lengths."""
    likely = language.model(torch.tensor([PROMPT])).logits[0, -1].topk(6).indices.tolist()
    for count, penalty, ends in itertools.product((2, 5), (0.0, 1.0, 2.0), ([1], likely[3:])):
        fed = Sequence(language)

        def step(rows: list[int], tokens: list[int], fed: Sequence = fed) -> torch.Tensor:
            if not rows:
                return fed.read(PROMPT, lambda _: None)
            fed.select(rows)
            return fed.write(tokens)

        with torch.inference_mode():
            found = beam_search(step, count, 12, ends, penalty)
            asked: dict[str, Any] = {"num_beams": count, "num_return_sequences": count, "length_penalty": penalty}
            expected = language.model.generate(
                torch.tensor([PROMPT]),
                attention_mask=torch.ones(1, len(PROMPT), dtype=torch.long),
                max_new_tokens=12,
                do_sample=False,
                eos_token_id=ends,
                pad_token_id=2,
                output_scores=True,
                return_dict_in_generate=True,
                **asked,
            )
        rows = [row[len(PROMPT) :].tolist() for row in expected.sequences]
        lengths = [len(beam.tokens) for beam in found]
        assert [list(beam.tokens) for beam in found] == [row[:n] for row, n in zip(rows, lengths, strict=True)]
        assert all(set(row[n:]) <= {2} for row, n in zip(rows, lengths, strict=True))
        assert [beam.score for beam in found] == pytest.approx(expected.sequences_scores.tolist(), rel=1e-4)


def test_a_likely_whole_is_found_behind_an_unlikely_beginning() -> None:
    """0 is likelier at first, but 1 is followed by a certainty. A word that ends is compared by its mean."""
    follow = {(): [0.6, 0.4, 0.0], (0,): [0.34, 0.33, 0.33], (1,): [0.0, 0.0, 1.0]}
    seen: list[tuple[int, ...]] = [()]

    def step(rows: list[int], tokens: list[int]) -> torch.Tensor:
        seen[:] = [(*seen[row], token) for row, token in zip(rows, tokens, strict=True)] or [()]
        return torch.tensor([[math.log(max(p, 1e-30)) for p in follow.get(beam, [0, 0, 1])] for beam in seen])

    best, second = beam_search(step, 2, 2)
    assert (best.tokens, math.exp(2 * best.score)) == ((1, 2), pytest.approx(0.4))
    assert (second.tokens, math.exp(2 * second.score)) == ((0, 0), pytest.approx(0.6 * 0.34))
    assert beam_search(step, 1, 2)[0].tokens == (0, 0)
    assert beam_search(step, 2, 2, ends=[0], length_penalty=0)[0].tokens == (0,)
