"""What the stages that look back are told, against the plainest way to find it out."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.text.history import History, Ngrams, Repeats, Tally
from plugins.text.marks import TokenMarks
from plugins.text.params_sampling import SamplingParams

pytestmark = pytest.mark.unit
tokens = st.lists(st.integers(0, 4), max_size=40)


@given(tokens, st.integers(0, 12))
def test_a_tally_counts_its_window(text: list[int], window: int) -> None:
    tally = Tally(window)
    for at, token in enumerate(text, 1):
        tally.push(token)
        counted = collections.Counter(text[max(0, at - window) if window else 0 : at])
        assert dict(zip(tally.ids, tally.counts, strict=True)) == counted


@given(tokens, st.integers(1, 4))
def test_no_run_of_n_tokens_comes_twice(text: list[int], length: int) -> None:
    ngrams = Ngrams(length)
    for token in text:
        ngrams.push(token)
    runs = [tuple(text[i : i + length]) for i in range(len(text) - length + 1)]
    tail = tuple(text[len(text) - length + 1 :]) if length > 1 else ()
    assert set(ngrams.banned()) == {run[-1] for run in runs if run[:-1] == tail}


def longest(text: list[int], least: int, window: int, breakers: frozenset[int]) -> dict[int, int]:
    """By comparing every earlier place with the end, token by token."""
    text = text[-window:] if window else text
    found: dict[int, int] = {}
    for place in range(len(text) - 1):
        length = 0
        while length <= place and text[place - length] == text[-1 - length] not in breakers:
            length += 1
        if length >= least and text[place + 1] not in breakers:
            found[text[place + 1]] = max(found.get(text[place + 1], 0), length)
    return found


@given(tokens, st.integers(1, 3), st.integers(0, 12), st.frozensets(st.integers(0, 4), max_size=2))
def test_repeats_are_those_found_by_comparing(
    text: list[int], least: int, window: int, breakers: frozenset[int]
) -> None:
    repeats = Repeats(window, breakers)
    for at, token in enumerate(text, 1):
        repeats.push(token)
        assert repeats.longest(least) == longest(text[:at], least, window, breakers)


def test_a_history_keeps_what_its_stages_need_and_copies_go_their_own_way() -> None:
    settings = SamplingParams(frequency_penalty=1, no_repeat=2, dry_multiplier=1, penalise_prompt=False)
    history = History(settings, TokenMarks(9), [1, 2, 1], [2])
    assert history.tally and list(history.tally.ids) == [2]
    assert set(history.banned()) == {1}
    assert history.repeats(2) == {1: 2}
    twin = history.copy()
    twin.push(5)
    assert (list(history.tally.ids), set(history.banned()), history.repeats(2)) == ([2], {1}, {1: 2})
    assert twin.tally and list(twin.tally.ids) == [2, 5] and not twin.banned() and not twin.repeats(2)
    idle = History(SamplingParams(), TokenMarks(9), [1, 2, 1])
    assert (idle.tally, list(idle.banned()), dict(idle.repeats(1))) == (None, [], {})


def test_marks_survive_json() -> None:
    marks = TokenMarks(100, {3: 1.5, 4: float("-inf")}, frozenset([1, 2]), frozenset([7]))
    assert TokenMarks.from_dict(marks.to_dict()) == marks
    assert TokenMarks.from_dict(marks.to_dict(frozenset([2]))).breakers == {2}
