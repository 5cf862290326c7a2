"""The chat panel: saying, answers that stream, versions, deletion, files of others, and what a restart keeps."""

import json
from typing import Any

import pytest
from PySide6.QtCore import QUrl

from studio.kit.theme import Theme
from tests.qt.panel_session import FakeSession, model_entry, on_screen

pytestmark = pytest.mark.qt


@pytest.fixture
def session(qapp, tmp_path):
    session = FakeSession(tmp_path, Theme("light"))
    session.engine.model_entries = [model_entry(starter=True), model_entry("big")]
    return session


def show(session, qtbot, draft=None):
    return on_screen(session, qtbot, "text.chats", draft)


@pytest.fixture
def panel(session, qtbot):
    return show(session, qtbot)


def asked(session) -> list[dict[str, Any]]:
    return [call for call in session.called("submit") if call["operation"] == "text.chat"]


def ended(session, text: str | None, state: str = "finished", error: dict | None = None, **facts) -> None:
    """The newest job comes to its end with this text as its result."""
    engine, job = session.engine, asked(session)[-1]["job"]
    engine.live.pop(job, None)
    artifacts = []
    if text is not None:
        engine.items[job] = {"id": job, "kind": "text", "trashed": False, "path": "", "excerpt": text}
        engine.recipes[job], engine.texts[job] = {}, text
        artifacts = [{"id": job, "job": job, "kind": "text", "path": "", "size": 1, "sha256": ""}]
    engine.announce(job, state=state, artifacts=artifacts, facts=facts, error=error)


def say(session, panel, text: str, answer: str | None = None, **facts) -> None:
    panel.ui.prompt.set_value(text)
    panel.generate()
    if answer is not None:
        ended(session, answer, **facts)


def shown(panel) -> list[tuple[str, str]]:
    """Who says what, as it stands on the screen."""
    while panel.ui.view.fresh:
        panel.ui.view.fresh.flush()
    cards = [panel.ui.view.cards[id] for id in panel.ui.view._ids]
    return [(card.role, card.text.text()) for card in cards]


def leaf(panel) -> str:
    return panel.talk.conversation.leaf


def test_an_answer_streams_and_is_kept_with_how_it_ended(session, panel):
    assert panel.ui.empty.isVisible() and "fox" in panel.ui.prompt.value() and not panel.store.list()
    panel.generate()
    (call,) = asked(session)
    assert call["params"]["messages"] == [{"role": "user", "content": "Tell me a story about a fox and a river."}]
    assert panel.ui.prompt.value() == "" and panel.ui.stop.isEnabled()
    session.engine.start(call["job"])
    session.engine.running(call["job"])
    session.engine.stream(call["job"], "Once **there")
    assert shown(panel)[-1] == ("assistant", "Once **there")
    ended(session, "Once **there** was.", tokens=5, prompt_tokens=20, reused_tokens=12)
    card = panel.ui.view.cards[leaf(panel)]
    assert shown(panel)[-1] == ("assistant", "Once **there** was.") and "there was." in card.text.toPlainText()
    assert "reused 12 of 20" in card.state.text() and not panel.talk.busy


def test_what_was_said_goes_with_the_next_question_and_only_one_file_grows(session, panel):
    say(session, panel, "one?", "1")
    say(session, panel, "two?", "2")
    assert [m["content"] for m in asked(session)[-1]["params"]["messages"]] == ["one?", "1", "two?"]
    (summary,) = panel.store.list()
    assert summary.title == "one?" and summary.messages == 4


def test_versions_stand_beside_each_other_and_can_be_compared(session, panel):
    say(session, panel, "why?", "because it is")
    first = leaf(panel)
    panel.do("retry", first)
    ended(session, "because it was")
    second = leaf(panel)
    card = panel.ui.view.cards[second]
    assert card._versions.text() == "2 of 2" and shown(panel)[-1][1] == "because it was"
    panel.do("compare", second)
    assert card.text.compares and card.text.toPlainText() == "because it is was"
    panel.do("compare", second)
    assert not card.text.compares and card.text.text() == "because it was"
    card.back.click()
    assert leaf(panel) == first and shown(panel)[-1][1] == "because it is"
    question = panel.talk.conversation.path()[0].id
    panel.do("edit", question)
    panel.ui.view.cards[question].editor.set_text("why not?")
    panel.ui.view.cards[question].keep.click()
    ended(session, "it could")
    assert [text for _, text in shown(panel)] == ["why not?", "it could"]
    assert [m["content"] for m in asked(session)[-1]["params"]["messages"]] == ["why not?"]


def test_an_answer_goes_on_as_another_version(session, panel):
    say(session, panel, "a tale", "Once", stop_reason="length")
    panel.do("continue", leaf(panel))
    params = asked(session)[-1]["params"]
    assert params["continue_last"] and params["messages"][-1] == {"role": "assistant", "content": "Once"}
    ended(session, "Once more")
    assert shown(panel)[-1][1] == "Once more" and len(panel.talk.conversation.siblings(leaf(panel))) == 2


def test_a_question_may_follow_any_message(session, panel):
    say(session, panel, "one?", "1")
    answer = leaf(panel)
    say(session, panel, "two?", "2")
    panel.do("branch", answer)
    say(session, panel, "other?", "3")
    assert [text for _, text in shown(panel)] == ["one?", "1", "other?", "3"]
    assert len(panel.talk.conversation.children(answer)) == 2


def test_deleting_is_undone_for_messages_and_for_conversations(session, panel):
    say(session, panel, "one?", "1")
    id = panel.talk.conversation.id
    panel.do("delete", panel.talk.conversation.path()[0].id)
    assert shown(panel) == []
    session.undo.undo()
    assert [text for _, text in shown(panel)] == ["one?", "1"]
    panel.ui.conversations.deleted.emit(id)
    assert panel.talk.conversation is None and not panel.store.list()
    session.undo.undo()
    assert panel.talk.conversation.id == id and [text for _, text in shown(panel)] == ["one?", "1"]


def test_a_failure_is_said_where_the_answer_would_be_and_can_be_retried(session, panel):
    say(session, panel, "one?")
    ended(session, None, "failed", {"title": "It died", "detail": "By a signal.", "hint": "", "code": "died"})
    card = panel.ui.view.cards[leaf(panel)]
    assert card._error.isVisible() and card._error.title.text() == "It died"
    panel.do("retry", leaf(panel))
    ended(session, "fine")
    assert shown(panel)[-1] == ("assistant", "fine")


def test_a_stopped_answer_keeps_what_was_said(session, panel):
    say(session, panel, "one?")
    job = asked(session)[-1]["job"]
    session.engine.start(job)
    assert panel.cancel_current() and {"job": job} in session.called("cancel")
    ended(session, "half of", "cancelled")
    assert shown(panel)[-1][1] == "half of" and "Stopped" in panel.ui.view.cards[leaf(panel)].state.text()
    assert not panel.cancel_current()


def test_a_window_that_opens_in_the_middle_or_after_the_end_has_everything(session, panel, qtbot):
    say(session, panel, "one?")
    job = asked(session)[-1]["job"]
    session.engine.start(job)
    session.engine.running(job)
    session.engine.stream(job, "so far")
    panel.ui.prompt.set_value("next?")
    draft = panel.draft()
    session.engine.listeners.remove(panel.on_event)
    again = show(session, qtbot, draft)
    assert shown(again)[-1] == ("assistant", "so far") and again.ui.prompt.value() == "next?"
    session.engine.listeners.remove(again.on_event)
    ended(session, "so far so good")
    third = show(session, qtbot, draft)
    assert shown(third)[-1] == ("assistant", "so far so good") and not third.talk.busy


def test_a_long_conversation_builds_only_its_end(session, panel):
    talk = panel.talk.begin()
    sink, talk.sink = talk.sink, None  # five thousand lines on disk are not what is tested
    for number in range(2500):
        talk.add("user", f"question {number}")
        talk.add("assistant", f"answer {number}")
    talk.sink = sink
    panel._show_all()
    assert len(panel.ui.view._ids) == 5000 and len(panel.ui.view.cards) < 60
    assert list(panel.ui.view.cards)[-1] == talk.leaf
    before = len(panel.ui.view.cards)
    panel.ui.view._earlier.click()
    assert before < len(panel.ui.view.cards) < 100


def test_nothing_is_loaded_from_anywhere_and_no_link_is_opened(session, panel):
    say(session, panel, "one?", "![x](http://example.invalid/x.png) [go](http://example.invalid/)")
    text = panel.ui.view.cards[leaf(panel)].text
    assert text.loadResource(2, QUrl("http://example.invalid/x.png")) is None and not text.openLinks()
    text.anchorClicked.emit(QUrl("http://example.invalid/"))
    assert "not opened" in session.notices[-1][1]


def test_conversations_come_from_files_of_others_and_bad_ones_are_said(session, panel, tmp_path):
    place = tmp_path / "chat.json"
    place.write_text(json.dumps([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]))
    assert panel.accepts_file(place)
    panel.drop_file(place)
    assert [text for _, text in shown(panel)] == ["hi", "ho"]
    place.write_bytes(b"\xff\xfe")
    panel.drop_file(place)
    assert session.notices[-1][2] == "error" and len(panel.store.list()) == 1


def test_prompts_and_personas_are_saved_and_used(session, panel):
    panel.ui.prompt.set_value("Summarise {{text}}")
    panel.shelf._save_prompt("Summary")
    panel.desk.set_values({**panel.desk.values(), "system": "Be brief."}, "test")
    panel.shelf._save_persona("Brief")
    panel.desk.set_values({**panel.desk.values(), "system": "", "prompt": ""}, "test")
    panel.ui.saved_menu.aboutToShow.emit()
    next(action for action in panel.ui.saved_menu.actions() if action.text() == "Summary").trigger()
    panel.ui.persona_menu.aboutToShow.emit()
    next(action for action in panel.ui.persona_menu.actions() if action.text() == "Brief").trigger()
    assert panel.ui.prompt.value() == "Summarise {{text}}" and panel.desk.values()["system"] == "Be brief."


def test_the_room_in_the_context_and_advice_are_shown_while_somebody_writes(session, panel):
    panel.ui.prompt.set_value("Make it better")
    assert "of 256 tokens" in panel.ui.room_said.text() and panel.ui.coach.isVisible()
    panel.ui.prompt.set_value("word " * 4000)
    assert panel.ui.room.value() == 1000 and "kept for the answer" in panel.ui.room.toolTip()


def test_every_action_has_a_name_of_its_own(session, panel):
    actions = panel.actions()
    assert len({action.id for action in actions}) == len(actions)
    assert not any(action.is_enabled for action in actions if action.id == "text.chat.retry")
    say(session, panel, "one?", "1")
    next(action for action in actions if action.id == "text.chat.retry").run()
    ended(session, "2")
    assert shown(panel)[-1][1] == "2"
