"""What the strip says of the machine, and how names are found in the palette."""

import pytest

from studio.sdk.progress import clock, share
from studio.ui.activity import Activity, counted, memory_words, title_of
from studio.ui.fuzzy import match, ranked
from studio.wire.messages import Event

pytestmark = pytest.mark.qt


def job(id: str, state: str, **more) -> Event:
    return Event("job", id, {"id": id, "state": state, "operation": "x.y", **more})


def test_the_job_that_reported_last_is_on_show():
    activity = Activity()
    for id in ("a", "b"):
        activity.take(job(id, "running", seq=ord(id)))
    assert activity.current["id"] == "a"
    activity.take(Event("progress", "b", {"done": 3, "total": 4}))
    assert activity.current["id"] == "b"
    assert activity.progress == {"done": 3, "total": 4}
    activity.take(job("b", "finished"))
    assert activity.current["id"] == "a"
    assert activity.progress == {}
    activity.take(job("a", "failed"))
    assert activity.current is None


def test_progress_of_a_job_that_is_not_there_is_no_news():
    assert not Activity().take(Event("progress", "ghost", {"done": 1}))


def test_a_second_attempt_begins_at_nothing():
    activity = Activity()
    activity.take(job("a", "running"))
    activity.take(Event("progress", "a", {"done": 9, "total": 10}))
    activity.take(job("a", "starting"))
    assert activity.progress == {}


def test_a_listing_replaces_what_was_known():
    activity = Activity()
    activity.take(job("old", "running"))
    jobs = [
        {"id": "new", "state": "running", "live": {"progress": {"done": 1, "total": 2}}},
        {"id": "w", "state": "queued"},
    ]
    activity.load({"jobs": jobs, "waiting": 7, "held": True})
    assert list(activity.jobs) == ["new"]
    assert (activity.waiting, activity.held, activity.progress) == (7, True, {"done": 1, "total": 2})


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        ({"done": 14, "total": 30, "rate": 3.2, "unit": "it"}, "14/30 · 3.2 it/s · 0:05 left"),
        ({"done": 0, "total": 1200, "rate": 240.0, "unit": "tokens"}, "0/1,200 · 240 tokens/s · 0:05 left"),
        ({"stage": "Loading tales-5m"}, "Loading tales-5m"),
        ({"stage": "Reading", "done": 5, "total": 9}, "Reading 5/9"),
        ({"done": 5, "unit": "tokens"}, "5 tokens"),
        ({"done": 5, "rate": 9.5, "unit": "token"}, "5 tokens · 9.5 tokens/s"),
        ({}, ""),
    ],
)
def test_progress_in_words(progress, words):
    assert counted(progress) == words


def test_small_words():
    assert [clock(s) for s in (0, 5.4, 65, 3725)] == ["0:00", "0:05", "1:05", "1:02:05"]
    assert share({"done": 5, "total": 4}) == 1.0
    assert share({"done": 5}) is None
    assert memory_words({"used": 11_200_000_000, "total": 24_000_000_000, "device": "cuda:0"}) == "GPU 11.2/24 GB"
    assert memory_words({"used": 500_000_000, "total": 8_000_000_000, "device": "cpu"}) == "RAM 0.5/8 GB"
    assert memory_words({}) == ""
    assert title_of({"operation": "text.generate", "params": {"prompt": "Once\n upon"}}) == "Once upon"
    assert title_of({"operation": "probe.noop", "params": {}}) == "probe.noop"


def test_letters_in_order_match_and_others_do_not():
    assert match("gt", "Go to Text") is not None
    assert match("tg", "Go to") is None
    assert match("", "anything") == (0, ())
    assert match("zzz", "") is None
    for typed, name, at in (("ß", "Straße", 4), ("st", "İstanbul", 1)):
        found = match(typed, name)
        assert found is not None and found[1][0] == at


def test_positions_name_the_matched_letters():
    found = match("queue", "Show or hide the queue")
    assert found is not None
    assert "".join("Show or hide the queue"[i] for i in found[1]) == "queue"


def test_beginnings_of_words_and_runs_come_first():
    names = ["Theme: light", "Go to Library", "Show or hide all notices", "Go to Text", "Settings"]
    order = [thing for thing, _ in ranked("gt", [(name, name) for name in names])]
    assert order[0] in ("Go to Text", "Go to Library")
    assert [t for t, _ in ranked("library", [(n, n) for n in names])] == ["Go to Library"]
    assert next(t for t, _ in ranked("sett", [(n, n) for n in names])) == "Settings"
    assert [t for t, _ in ranked("", [(n, n) for n in names])] == names
