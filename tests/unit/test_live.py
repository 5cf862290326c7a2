"""What running jobs have shown so far: several texts of one job, and attempts that begin again."""

import pytest

from studio.engine.live import Live
from studio.wire.messages import Stream

pytestmark = pytest.mark.unit


def shown(*messages: Stream) -> dict:
    live = Live()
    for message in messages:
        live.stream(message)
    found = live.get("a")
    assert found is not None
    return found.to_dict()


def test_one_text_is_the_stream() -> None:
    found = shown(Stream("a", 0, "Once "), Stream("a", 5, "upon"))
    assert found["stream"] == "Once upon" and "streams" not in found


def test_several_texts_are_told_apart() -> None:
    found = shown(Stream("a", 0, "Once "), Stream("a", 0, "Twice", 2), Stream("a", 5, "upon"))
    assert found["stream"] == "Once upon" and found["streams"] == ["Once upon", "", "Twice"]


def test_another_attempt_begins_each_text_again() -> None:
    found = shown(Stream("a", 0, "Once"), Stream("a", 0, "Twice", 1), Stream("a", 0, "On", 0), Stream("a", 0, "Tw", 1))
    assert found["streams"] == ["On", "Tw"]
