"""Undo: steps, merging, owners, and steps that push while they run."""

import pytest

from studio.kit.history import History

pytestmark = pytest.mark.qt


class Value:
    """Something that remembers its changes in a history."""

    def __init__(self, history: History):
        self.history, self.now = history, 0

    def put(self, value: int, merge: str = "") -> None:
        before, self.now = self.now, value
        self.history.push("change", lambda: self.put(before), lambda: self.put(value), merge=merge, owner=self)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def history(clock):
    return History(limit=5, clock=clock)


def test_back_and_forth(history):
    value = Value(history)
    value.put(1)
    value.put(2)
    assert history.undo() and value.now == 1
    assert history.undo() and value.now == 0
    assert not history.undo()
    assert history.redo() and history.redo() and value.now == 2
    assert not history.redo()


def test_a_new_step_ends_the_redo(history):
    value = Value(history)
    value.put(1)
    history.undo()
    value.put(7)
    assert not history.can_redo
    history.undo()
    assert value.now == 0


def test_steps_of_one_kind_in_a_row_are_one(history, clock):
    value = Value(history)
    for number in (1, 2, 3):
        clock.now += 1
        value.put(number, "typing")
    clock.now += 10
    value.put(4, "typing")
    assert history.undo() and value.now == 3
    assert history.undo() and value.now == 0
    assert history.redo() and value.now == 3


def test_a_seal_and_an_undo_end_the_merging(history):
    value = Value(history)
    value.put(1, "typing")
    history.seal()
    value.put(2, "typing")
    history.undo()
    assert value.now == 1
    history.redo()
    value.put(3, "typing")
    history.undo()
    assert value.now == 2


def test_owners_do_not_merge_and_can_be_dropped(history):
    one, other = Value(history), Value(history)
    one.put(1, "typing")
    other.put(1, "typing")
    history.drop(other)
    assert history.undo() and one.now == 0 and other.now == 1
    assert not history.can_undo


def test_the_oldest_steps_are_forgotten(history):
    value = Value(history)
    for number in range(1, 10):
        value.put(number)
    while history.undo():
        pass
    assert value.now == 4


def test_a_step_that_fails_leaves_the_history_usable(history):
    def fail() -> None:
        raise RuntimeError("no")

    value = Value(history)
    value.put(1)
    history.push("broken", fail, fail)
    with pytest.raises(RuntimeError):
        history.undo()
    assert history.undo() and value.now == 0


def test_listeners_hear_and_titles_are_told(history):
    heard = []
    history.listeners.append(lambda: heard.append((history.undo_title, history.redo_title)))
    Value(history).put(1)
    history.undo()
    assert heard == [("change", ""), ("", "change")]
    history.clear()
    assert not history.can_undo and not history.can_redo
