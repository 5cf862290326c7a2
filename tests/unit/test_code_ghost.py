"""A suggestion holds while the person types it, and no longer; what is sent stays the same at its front."""

import pytest

from plugins.code.ghost import BEFORE, Ghost, Place

pytestmark = pytest.mark.unit


def test_it_holds_while_what_it_says_is_typed():
    ghost = Ghost(Place("x = ", "\ny"))
    assert ghost.show(Place("x = ", "\ny")) == ""
    ghost.push(0, "fir")
    assert ghost.show(Place("x = f", "\ny")) == "ir"
    assert ghost.show(Place("x = first", "\ny")) == "", "more was typed than has come, and it may come"
    ghost.push(3, "st(1)")
    assert ghost.show(Place("x = first", "\ny")) == "(1)"
    assert ghost.show(Place("x = fun", "\ny")) is None
    assert ghost.show(Place("x =", "\ny")) is None and ghost.show(Place("x = ", "\nz")) is None


def test_when_it_has_ended_nothing_more_is_waited_for():
    ghost = Ghost(Place("x = ", ""))
    ghost.push(0, "1")
    ghost.finish(None)
    assert ghost.show(Place("x = 12", "")) is None and ghost.show(Place("x = 1", "")) == ""
    ghost = Ghost(Place("x = ", ""))
    ghost.finish("whole")
    assert ghost.show(Place("x = wh", "")) == "ole"


def test_streamed_text_may_come_twice_and_what_leads_out_of_the_hole_is_not_shown():
    ghost = Ghost(Place("print(", ")"))
    assert not ghost.push(0, "a, ") and not ghost.push(0, "a, b")
    assert ghost.push(4, ")\nmore") and ghost.text == "a, b"
    assert not ghost.push(99, "lost") and ghost.text == "a, b"


@pytest.mark.parametrize(
    ("before", "after", "asks", "multiline"),
    [
        ("x = ", "", True, True),
        ("print(", ")", True, True),
        ("x = ", " + something long", False, False),
        ("x = ", " + y", True, False),
        ("", "\n\n", False, True),
        ("def f(", "):\n", True, True),
    ],
)
def test_where_a_suggestion_would_help(before, after, asks, multiline):
    place = Place(before, after)
    assert (place.asks, place.multiline) == (asks, multiline)


def test_the_front_of_what_is_sent_stays_the_same_while_lines_are_typed():
    text = "".join(f"line {n}\n" for n in range(4000))
    fronts = {Place(text[:end], "").sent()[0][:40] for end in range(20_000, 21_500, 37)}
    assert len(fronts) <= 2
    sent, _ = Place(text[:20_000], "").sent()
    assert len(sent) <= BEFORE and text[:20_000].endswith(sent) and sent.startswith("line")
