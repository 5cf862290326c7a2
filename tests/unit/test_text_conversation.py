"""The conversation tree: versions beside each other, where one is, what is taken away and comes back, what differs."""

import random

import pytest

from plugins.text.context_budget import estimate_tokens, estimated, fit, learnt_scale, reserve, starts
from plugins.text.conversation import Conversation
from plugins.text.conversation_diff import differences
from studio.errors import StudioError

pytestmark = pytest.mark.unit


def talk() -> Conversation:
    found = Conversation(clock=lambda: 5.0)
    found.add("user", "What is a fox?")
    found.add("assistant", "A small animal.", model="tales", settings={"temperature": 0.5}, job="j1")
    found.add("user", "How small?")
    found.add("assistant", "Very.")
    return found


def said(conversation: Conversation) -> list[str]:
    return [node.content for node in conversation.path()]


def same(one: Conversation, two: Conversation) -> bool:
    def all_of(c: Conversation) -> tuple[object, ...]:
        tips = {node.id: c.tip(node.id) for node in c}
        return list(c), c.leaf, c.title, c.settings, {node.id for node in c.deleted()}, tips

    return all_of(one) == all_of(two)


def test_edit_and_retry_are_versions_and_switching_comes_back_to_where_one_was() -> None:
    c = talk()
    first, answer, second, end = c.path()
    edited = c.edit(first.id, "What is a wolf?")
    assert said(c) == ["What is a wolf?"] and c.leaf == edited.id
    assert (edited.parent, edited.role, edited.source) == ("", "user", first.id)
    assert [node.id for node in c.siblings(edited.id)] == [first.id, edited.id]
    assert c.switch(edited.id, -1).id == first.id and c.leaf == end.id
    assert c.switch(first.id, -1).id == edited.id  # in a circle
    c.switch(first.id)
    other = c.retry(answer.id, model="tales", job="j2")
    assert (other.content, other.source, other.job) == ("", answer.id, "j2")
    c.change(other.id, content="A big one.", artifact="j2-1", rating=1)
    assert said(c) == ["What is a fox?", "A big one."] and c.path()[-1].rating == 1
    assert c.switch(other.id, 1).id == answer.id and c.leaf == end.id
    assert c.retry(second.id).parent == second.id
    assert c.edit(answer.id, "Edited.").model == "tales"


def test_branches_at_a_message_and_inside_one() -> None:
    c = talk()
    _, answer, second, _ = c.path()
    c.branch(answer.id)
    assert said(c) == ["What is a fox?", "A small animal."]
    c.add("user", "Where?")
    assert [node.content for node in c.children(answer.id)] == ["How small?", "Where?"]
    assert c.tip(second.id) == c.switch(second.id).id != second.id or c.leaf
    cut = c.branch_at(answer.id, 8, tokens="records-1")
    assert (cut.content, cut.kept, cut.source, cut.tokens) == ("A small ", 8, answer.id, "records-1")
    assert c.messages()[-1] == {"role": "assistant", "content": "A small "}
    with pytest.raises(StudioError):
        c.branch_at(answer.id, 99)
    c.branch("")
    assert c.path() == [] and c.add("user", "Anew").parent == ""


def test_what_is_deleted_is_out_of_sight_and_comes_back_whole() -> None:
    c = talk()
    first, answer, second, end = c.path()
    other = c.retry(answer.id)
    c.switch(answer.id)
    c.delete(answer.id)
    assert c.leaf == other.id and [node.id for node in c.siblings(other.id)] == [other.id]
    assert [node.id for node in c.deleted()] == [answer.id] and end.id in c
    c.delete(first.id)
    assert c.path() == [] and c.children("") == []
    c.restore(second.id)  # with everything it answers
    assert [node.id for node in c.path()] == [first.id, answer.id, second.id, end.id] and c.deleted() == []
    with pytest.raises(StudioError):
        c.delete("nobody")


def test_titles_and_settings() -> None:
    c = talk()
    assert c.title == "What is a fox?"
    c.rename("  Foxes \n and wolves ")
    c.configure(system="Be brief.", model="tales")
    c.configure(model=None)
    assert (c.title, c.settings) == ("Foxes and wolves", {"system": "Be brief."})
    c.rename("")
    assert c.title == "What is a fox?"


def test_what_never_changes_does_not_and_wrong_roles_are_refused() -> None:
    c = talk()
    with pytest.raises(ValueError, match="never changes"):
        c.change(c.leaf, parent="")
    with pytest.raises(StudioError):
        c.add("tool", "x")
    with pytest.raises(StudioError):
        c.add("user", "x", rating=True)
    assert len(c) == 4


def test_any_history_replayed_or_made_small_is_the_same_tree() -> None:
    """A thousand random changes: the events as they came, and the fewest that say the same."""
    draw, events = random.Random(4), []
    c = Conversation(sink=events.append, clock=lambda: 1.0)
    c.add("user", "first")
    for number in range(1000):
        nodes = [node.id for node in c if node.id not in {gone.id for gone in c.deleted()}] or [c.add("user", "a").id]
        any_of = nodes[draw.randrange(len(nodes))]
        match draw.randrange(9):
            case 0 | 1 | 2:
                c.add(draw.choice(["user", "assistant"]), f"message {number}")
            case 3:
                c.edit(any_of, f"edit {number}")
            case 4:
                c.retry(any_of)
            case 5:
                c.switch(any_of, draw.choice([-1, 0, 1]))
            case 6:
                c.change(any_of, content=f"changed {number}", rating=draw.choice([-1, 0, 1]))
            case 7 if draw.random() < 0.3:
                c.delete(any_of)
            case 8 if c.deleted():
                c.restore(c.deleted()[draw.randrange(len(c.deleted()))].id)
            case _:
                c.branch(any_of)
    again, small = Conversation(), Conversation()
    for event in events:
        again.apply(event)
    for event in c.events():
        small.apply(event)
    assert len(c) > 300 and same(c, again) and same(c, small)
    assert len(list(c.events())) < len(c) + len(c.deleted()) + 5


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"op": "add"},
        {"op": "add", "node": {"id": "x", "role": "user"}},
        {"op": "add", "node": {"id": "x", "role": "user", "content": "", "parent": "nobody"}},
        {"op": "add", "node": {"id": "x", "role": "user", "content": 5}},
        {"op": "go", "id": "nobody"},
        {"op": "go", "id": []},
        {"op": "change", "id": "nobody", "values": {}},
        {"op": "title", "title": None},
        {"op": "tomorrow's", "id": "x"},
    ],
)
def test_what_is_no_event_changes_nothing(event: dict[str, object]) -> None:
    c = talk()
    before = list(c.events())
    with pytest.raises(ValueError):
        c.apply(event)
    assert list(c.events()) == before


def test_the_difference_of_two_versions_in_words() -> None:
    found = differences("The fox ran home.", "The red fox went home.")
    assert [(run.kind, run.text) for run in found] == [
        ("same", "The"), ("right", " red"), ("same", " fox"), ("left", " ran"), ("right", " went"), ("same", " home."),
    ]  # fmt: skip
    draw = random.Random(1)
    for _ in range(50):
        left, right = ("".join(draw.choice(["a ", "b\n", "c, ", "🦊"]) for _ in range(30)) for _ in range(2))
        runs = differences(left, right)
        assert "".join(run.text for run in runs if run.kind != "right") == left
        assert "".join(run.text for run in runs if run.kind != "left") == right
    long = "\n".join(f"line {n} of many words" for n in range(3000))
    assert [run.kind for run in differences(long, long.replace("line 7 ", "row 7 "))][:3] == ["same", "left", "right"]


# what fits into a context ------------------------------------------------------------------------

ROLES = ["user", "assistant"] * 10 + ["user"]


def test_whole_turns_are_left_out_until_it_fits_and_no_more() -> None:
    asked: list[int] = []

    def size(dropped: int) -> int:
        asked.append(dropped)
        return 20 + 10 * (len(ROLES) - dropped)

    found = fit(ROLES, size, 100, 20, True)
    assert (found.whole, found.reserve, found.room, found.dropped, found.tokens) == (230, 20, 80, 16, 70)
    assert found.fits and len(asked) <= 6 and found.dropped in starts(ROLES)
    assert "Without the oldest 16 messages of 21 it is 70 and fits" in found.words()
    assert fit(ROLES, size, 260, 20, True).dropped == 0
    assert fit(ROLES, size, None, 20, True).room is None


def test_the_last_turn_is_never_left_out() -> None:
    found = fit(["user", "assistant", "user", "assistant"], lambda n: 1000 - n, 100, 50, False)
    assert (found.dropped, found.tokens, found.fits) == (2, 998, False)
    assert found.words().endswith("Even the last message alone is about 998.")
    assert starts(["assistant", "user", "user"]) == [0, 1, 2]
    assert (reserve(4096, 200), reserve(256, 200), reserve(3, 9)) == (200, 64, 1)


def test_the_estimate_before_anything_is_sent() -> None:
    talk = [{"role": "user", "content": "a word or two " * 20}, {"role": "assistant", "content": "yes " * 10}] * 30
    assert estimated(talk, "", 100_000, 200).dropped == 0
    tight = estimated([{"role": "system", "content": "Be brief."}, *talk], "", 1000, 200)
    assert tight.fits and 0 < tight.dropped < 60 and tight.dropped % 2 == 0 and tight.tokens <= 800
    assert estimated(talk, "", 1000, 200, scale=2.0).dropped > tight.dropped
    assert 1.9 < learnt_scale(100, 200) < 2.1 and learnt_scale(0, 5) == 1.0


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("", 0, 0), ("the quick brown fox", 4, 5), ("1234567890", 3, 4), ("森の狐は笑う", 5, 7), ("Привет!", 2, 4)],
)
def test_estimates_are_near(text: str, low: int, high: int) -> None:
    assert low <= estimate_tokens(text) <= high
