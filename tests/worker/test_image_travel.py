"""The way of a travel and what is told on it."""

import pytest
import torch

from plugins.image import travel
from plugins.image.conditioning import Words
from plugins.image.params_clips import Travel
from studio.errors import StudioError

pytestmark = pytest.mark.worker


def params(*frames, **more):
    return Travel.load({"stops": [{"prompt": f"p{i}", "frames": n} for i, n in enumerate(frames)], **more})


def test_the_way_begins_and_ends_at_stops():
    way = travel.way(params(4, 2, 9, ease="linear"))
    assert [(b.first, b.second, b.share) for b in way] == [
        (0, 1, 0.0), (0, 1, 0.25), (0, 1, 0.5), (0, 1, 0.75), (1, 2, 0.0), (1, 2, 0.5), (2, 2, 0.0),
    ]  # fmt: skip


def test_a_loop_comes_back_without_showing_the_first_stop_twice():
    way = travel.way(params(2, 3, loop=True))
    assert len(way) == 5 and (way[-1].first, way[-1].second) == (1, 0) and way[-1].share < 1


def test_smooth_is_slow_at_the_stops_and_even_in_the_middle():
    shares = [travel.eased(i / 10, "smooth") for i in range(11)]
    assert shares[0] == 0 and shares[-1] == 1 and shares[5] == pytest.approx(0.5)
    assert shares[1] < 0.1 < shares[5] - shares[4]


def test_one_stop_is_no_travel_and_too_many_pictures_are_refused():
    for stops in ([{"prompt": "a"}], [{"frames": 500}] * 5):
        with pytest.raises(StudioError):
            Travel.load({"stops": stops})


def test_words_are_mixed_linearly_and_masks_joined():
    first = Words({"prompt_embeds": torch.zeros(1, 3, 2), "prompt_embeds_mask": torch.tensor([[1, 1, 0]])})
    second = Words({"prompt_embeds": torch.ones(1, 3, 2), "prompt_embeds_mask": torch.tensor([[1, 1, 1]])})
    quarter = travel.mixed([first, second], 0.25).call
    assert torch.equal(quarter["prompt_embeds"], torch.full((1, 3, 2), 0.25))
    assert quarter["prompt_embeds_mask"].tolist() == [[1, 1, 1]]
    assert torch.equal(travel.mixed([first, second], 0.0).call["prompt_embeds"], torch.zeros(1, 3, 2))


def test_sequences_in_lists_are_lengthened():
    words = [Words({"prompt_embeds": [torch.ones(n, 2)]}) for n in (2, 4)]
    found = travel.mixed(words, 0.5).call["prompt_embeds"]
    assert len(found) == 1 and found[0].tolist() == [[1, 1], [1, 1], [0.5, 0.5], [0.5, 0.5]]
