"""The text panel's results as data: what the engine says becomes what a person reads."""

from pathlib import Path

import pytest

from studio.host.loader import load

pytestmark = pytest.mark.qt
FOLDER = Path(__file__).resolve().parents[2] / "plugins" / "text"


def _load(name: str):
    return load(FOLDER, "studio_plugins.text", f"ui_results:{name}")


Results, Result, status, about = (_load(name) for name in ("Results", "Result", "status", "about"))


def job(id: str = "a", **values):
    plain = {"id": id, "origin": "text.panel", "params": {"prompt": "Once", "seed": 7}, "state": "running", "seq": 1}
    return {**plain, "created": 1.0, "attempt": 1, "artifacts": [], "facts": {}, "error": None, **values}


def test_jobs_of_other_panels_are_left_out():
    results = Results("text.panel")
    assert results.take(job(origin="image.panel")) is None
    assert len(results) == 0


def test_streamed_pieces_join_whatever_overlaps():
    result = Results("text.panel").take(job())
    assert result.append(0, "once ") and result.append(5, "upon") and result.append(3, "e upon a")
    assert result.stream == "once upon a"


def test_a_gap_in_the_stream_is_noticed():
    result = Results("text.panel").take(job())
    assert not result.append(4, "upon")
    assert result.stream == ""


def test_a_second_attempt_begins_with_nothing():
    results = Results("text.panel")
    results.take(job()).append(0, "half of")
    results.take(job(state="queued"))
    assert results.take(job(attempt=2)).stream == ""


def test_a_reloaded_running_job_has_the_text_so_far():
    results = Results("text.panel")
    results.load([job(live={"stream": "so far", "progress": {"done": 3, "total": 9, "rate": 4.0, "stage": ""}})])
    result = results.get("a")
    assert result.stream == "so far" and status(result) == "3 of 9 tokens · 4.0 tokens/s"
    assert result.append(6, ", so good") and result.whole == "Onceso far, so good"


def test_loading_drops_what_the_engine_has_forgotten_but_keeps_what_it_never_knew():
    results = Results("text.panel")
    results.take(job("a"))
    results.add(Result("dropped", {"prompt": "x"}, state="finished", local=True))
    results.load([job("b")])
    assert {result.id for result in results} == {"dropped", "b"}


def test_the_continuation_is_cut_from_the_saved_text_after_the_prompt():
    result = Results("text.panel").take(job(state="finished", facts={"prompt_chars": 4}))
    result.saved = "Once upon"
    assert result.continuation == " upon" and result.whole == "Once upon"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": "queued"}, "Waiting in the queue"),
        ({"state": "starting", "live": {"progress": {"stage": "Loading tales-5m…"}}}, "Loading tales-5m…"),
        (
            {"live": {"progress": {"stage": "Reading the prompt", "done": 1024, "total": 3000}}},
            "Reading the prompt 1,024 of 3,000",
        ),
        ({"live": {"progress": {"done": 1, "total": None, "rate": 120.4}}}, "1 token · 120 tokens/s"),
        (
            {"state": "finished", "facts": {"stop_reason": "length", "tokens": 40, "tokens_per_second": 57.31}},
            "Token limit reached · 40 tokens · 57.3 tokens/s",
        ),
        ({"state": "cancelled", "facts": {"tokens": 1}}, "Stopped · 1 token"),
        (
            {"state": "finished", "facts": {"tokens": 2, "reused_tokens": 1812, "prompt_tokens": 1930}},
            "Finished · 2 tokens · reused 1,812 of 1,930",
        ),
    ],
)
def test_status_in_words(values, words):
    assert status(Results("text.panel").take(job(**values))) == words


def test_a_report_says_everything_but_the_prompt():
    found = about(Results("text.panel").take(job(state="failed", params={"prompt": "a secret", "seed": 7})))
    assert found["settings"] == {"seed": 7} and found["prompt"] == "8 characters"


def test_hidden_results_come_back():
    results = Results("text.panel")
    results.take(job())
    results.hide("a")
    assert not list(results) and results.hidden == ["a"]
    results.hide("a", False)
    assert [result.id for result in results] == ["a"]


def test_a_request_of_several_texts_shows_one_of_them_and_turns():
    result = Results("text.panel").take(job(params={"prompt": "Once", "seed": 7, "count": 3}))
    assert (result.count, result.shown, result.seed) == (3, 0, 7)
    assert result.append(0, " upon") and result.append(0, " more", 2) and not result.append(9, "lost", 2)
    result.show(2)
    assert (result.stream, result.seed) == (" more", 9)
    result.show(3)
    assert (result.shown, result.stream) == (0, " upon")
    result.show(-1)
    assert result.shown == 2
    files = [{"id": f"a-{i}", "kind": "text", "path": f"/{i}.md"} for i in range(3)]
    result.update(job(state="finished", params=result.params, artifacts=files, facts={"tokens": 5}))
    assert (result.artifact, result.file, result.ids) == ("a-2", "/2.md", ["a-0", "a-1", "a-2"])
    assert status(result) == "Finished · 3 texts"


def test_several_live_texts_are_taken():
    live = {"stream": "one", "streams": ["one", "two"]}
    result = Results("text.panel").take(job(params={"prompt": "x", "count": 2}, live=live))
    assert [result.writings[i].stream for i in range(2)] == ["one", "two"]
