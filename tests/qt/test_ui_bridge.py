"""The bridge: latest wins where it may, nothing is lost where it must not, and order holds."""

import random

import pytest

from studio.ui import bridge as bridging
from studio.ui.bridge import Bridge, Coalescer
from studio.wire.messages import Event

pytestmark = pytest.mark.qt


def job(id: str, state: str) -> Event:
    return Event("job", id, {"id": id, "state": state})


def progress(id: str, done: int) -> Event:
    return Event("progress", id, {"done": done, "total": 1000})


def stream(id: str, at: int, text: str) -> Event:
    return Event("stream", id, {"at": at, "text": text})


def everything(waiting: Coalescer) -> list[Event]:
    found = []
    while waiting:
        found.append(waiting.take())
    return found


def test_the_latest_progress_of_each_job_wins():
    waiting = Coalescer()
    for done in range(1000):
        waiting.add(progress("a", done))
        waiting.add(progress("b", 2 * done))
    assert [(e.job, e.data["done"]) for e in everything(waiting)] == [("a", 999), ("b", 1998)]


def test_streams_are_merged_whole():
    waiting = Coalescer()
    at = 0
    for word in ("Once ", "upon ", "a ", "time"):
        waiting.add(stream("a", at, word))
        waiting.add(stream("b", at, word.upper()))
        at += len(word)
    assert [(e.job, e.data) for e in everything(waiting)] == [
        ("a", {"at": 0, "text": "Once upon a time"}),
        ("b", {"at": 0, "text": "ONCE UPON A TIME"}),
    ]


def test_texts_of_one_job_are_merged_each_by_itself():
    waiting = Coalescer()
    for at, (one, other) in enumerate(zip("abc", "xyz", strict=True)):
        waiting.add(stream("a", at, one))
        waiting.add(Event("stream", "a", {"at": at, "text": other, "item": 1}))
    assert [e.data for e in everything(waiting)] == [
        {"at": 0, "text": "abc"},
        {"at": 0, "text": "xyz", "item": 1},
    ]


def test_merging_leaves_the_events_themselves_alone():
    waiting = Coalescer()
    first = stream("a", 0, "one")
    waiting.add(first)
    waiting.add(stream("a", 3, "two"))
    assert waiting.take().data["text"] == "onetwo"
    assert first.data["text"] == "one"


def test_every_state_is_passed_on_in_order():
    waiting = Coalescer()
    for state in ("queued", "starting", "running", "running", "finished"):
        waiting.add(job("a", state))
    assert [e.data["state"] for e in everything(waiting)] == ["queued", "starting", "running", "running", "finished"]


def test_nothing_crosses_a_state_of_its_job():
    waiting = Coalescer()
    waiting.add(job("a", "running"))
    waiting.add(progress("a", 1))
    waiting.add(stream("a", 0, "first try"))
    waiting.add(progress("a", 2))
    waiting.add(job("a", "queued"))
    waiting.add(job("a", "running"))
    waiting.add(stream("a", 0, "second"))
    waiting.add(stream("a", 6, " try"))
    waiting.add(progress("a", 1))
    seen = [(e.kind, e.data.get("state") or e.data.get("text") or e.data.get("done")) for e in everything(waiting)]
    assert seen == [
        ("job", "running"),
        ("progress", 2),
        ("stream", "first try"),
        ("job", "queued"),
        ("job", "running"),
        ("stream", "second try"),
        ("progress", 1),
    ]


def test_a_gap_in_a_stream_is_not_papered_over():
    waiting = Coalescer()
    for event in (stream("a", 0, "one"), stream("a", 10, "later"), stream("a", 15, "still"), stream("a", 20, "!")):
        waiting.add(event)
    assert [(e.data["at"], e.data["text"]) for e in everything(waiting)] == [(0, "one"), (10, "later"), (15, "still!")]


def test_whatever_comes_streams_read_as_sent_and_no_state_is_lost():
    pick = random.Random(5)
    for _ in range(50):
        waiting, sent, states = Coalescer(), {}, []
        read: dict[str, str] = {}
        got = []
        for step in range(200):
            id = pick.choice("abc")
            kind = pick.choice(["stream", "job", "progress"])
            if kind == "stream":
                text = pick.choice(["x", "yy", "zzz"])
                waiting.add(stream(id, len(sent.get(id, "")), text))
                sent[id] = sent.get(id, "") + text
            elif kind == "job":
                waiting.add(job(id, str(step)))
                states.append((id, str(step)))
            else:
                waiting.add(progress(id, step))
            if pick.random() < 0.1:
                got += everything(waiting)
        got += everything(waiting)
        for event in got:
            if event.kind == "stream":
                assert event.data["at"] == len(read.get(event.job, ""))
                read[event.job] = read.get(event.job, "") + event.data["text"]
        assert read == sent
        assert [(e.job, e.data["state"]) for e in got if e.kind == "job"] == states


def test_a_burst_reaches_every_sink_whole_and_drained_is_said(qtbot):
    bridge = Bridge()
    one, two, drains = [], [], []
    bridge.add_sink(one.append)
    bridge.add_sink(two.append)
    bridge.drained.connect(lambda: drains.append(len(one)))
    for i in range(3000):
        bridge.feed(job(str(i), "queued"))
    assert one == []
    qtbot.waitUntil(lambda: len(one) == 3000 and drains[-1:] == [3000])
    assert [e.job for e in two] == [str(i) for i in range(3000)]


def test_a_drain_stops_when_its_time_is_up(qtbot, monkeypatch):
    monkeypatch.setattr(bridging, "SLICE_S", 0.0)
    bridge, seen, drains = Bridge(), [], []
    bridge.add_sink(seen.append)
    bridge.drained.connect(lambda: drains.append(len(seen)))
    for i in range(5):
        bridge.feed(job(str(i), "queued"))
    qtbot.waitUntil(lambda: len(seen) == 5)
    assert drains == [1, 2, 3, 4, 5]


def test_what_is_fed_while_draining_is_not_lost(qtbot):
    bridge, seen = Bridge(), []

    def sink(event: Event) -> None:
        seen.append(event.job)
        if event.job == "first":
            bridge.feed(job("second", "queued"))

    bridge.add_sink(sink)
    bridge.feed(job("first", "queued"))
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert seen == ["first", "second"] and not bridge.busy
