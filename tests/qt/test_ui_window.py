"""The whole window over an engine that does what the test says: panels, their faults, drafts, a lost engine."""

import json

import pytest

from studio.errors import StudioError
from tests.qt.ui_rig import PANEL, settled, titles, two_panels, until, write_plugin

pytestmark = pytest.mark.qt
rig = pytest.fixture(two_panels)


def test_the_window_is_there_before_the_engine(rig):
    async def scene():
        rig.engine.down = True
        async with rig.window(connected=False) as window:
            assert window.isVisible() and window.host.current_id == "alpha.panel"
            assert "starting" in window.strip.headline
            await until(lambda: "coming back" in window.strip.headline)
            assert "exit code 1" in window.strip._counts.text()
            assert "attached" not in window.host.current.seen
            rig.engine.down = False
            window.deeds.reconnect()
            await until(lambda: window.strip.headline == "Ready")
            assert window.host.current.seen.count("attached") == 1

    rig.run(scene())


def test_a_call_made_before_the_engine_answers_waits_for_it(rig):
    async def scene():
        async with rig.window(connected=False) as window:
            window.host.current.generate()
            await until(lambda: rig.engine.asked("submit"))
            assert rig.engine.asked("submit")[0]["origin"] == "alpha.panel"

    rig.run(scene())


@pytest.mark.expects_log
@pytest.mark.parametrize(
    "source",
    [
        "raise RuntimeError('no import')",
        PANEL.replace("self.seen, self.words", "raise RuntimeError('no import'); x, y"),
    ],
    ids=["import", "constructor"],
)
def test_a_broken_panel_says_so_in_its_place_and_the_rest_works(rig, source):
    write_plugin(rig.plugins, "broken", 5, panel=source)

    async def scene():
        async with rig.window() as window:
            window.open_panel("broken.panel")
            page = window.host.page("broken.panel")
            assert page.panel is None and page.trouble.isVisible()
            assert "no import" in page.trouble.report
            window.open_panel("alpha.panel")
            window.host.current.generate()
            await until(lambda: rig.engine.asked("submit"))
            write_plugin(rig.plugins, "broken", 5)
            if "import" in source.split("\n")[0]:
                page.retried.emit()
                assert page.panel is not None and page.trouble is None
                assert page.panel.seen.count("attached") == 1

    rig.run(scene())


@pytest.mark.expects_log
def test_a_panel_that_throws_on_an_event_harms_no_other(rig):
    async def scene():
        async with rig.window() as window:
            window.open_panel("beta.panel")
            alpha, beta = window.host.panel("alpha.panel"), window.host.panel("beta.panel")
            rig.engine.announce("j1", "queued", title="poison")
            rig.engine.announce("j2", "queued")
            await until(lambda: ("job", "j2") in alpha.seen and ("job", "j2") in beta.seen)
            assert "cannot swallow" in window.host.page("beta.panel").trouble.report

    rig.run(scene())


def test_operations_without_a_panel_get_a_form(rig):
    write_plugin(rig.plugins, "bare", 0, panel=None, title="Bare")

    async def scene():
        async with rig.window() as window:
            assert window.rail.button("bare.operations") is not None
            window.open_panel("bare.operations")
            panel = window.host.current
            assert panel.empty.isVisible() and not panel._list.isVisible()
            window.deeds.toggle_density()
            assert panel.form.density() == "expert"
            panel.form.set_value({"prompt": "Hello", "count": 5})
            panel.generate()
            await until(lambda: rig.engine.asked("submit"))
            asked = rig.engine.asked("submit")[0]
            assert (asked["operation"], asked["params"]) == ("bare.write", {"prompt": "Hello", "count": 5})
            job = asked["job"]
            rig.engine.announce(job, "running", origin="bare.operations")
            rig.engine.emit("stream", job, at=0, text="Once upon")
            rig.engine.emit("stream", job, at=9, text=" a time")
            await until(lambda: panel._text.toPlainText() == "Once upon a time")
            assert panel._list.isVisible() and not panel.empty.isVisible()
            assert panel.cancel_current()
            await until(lambda: rig.engine.asked("cancel") == [{"job": job}])

    rig.run(scene())


def test_drafts_and_the_open_panel_come_back(rig):
    async def scene():
        async with rig.window() as window:
            window.open_panel("beta.panel")
            window.host.current.words = "half a sentence"
            window.close()
        async with rig.window() as window:
            assert window.host.current_id == "beta.panel"
            assert window.host.current.words == "half a sentence"
            assert window.host.page("alpha.panel") is None, "panels are built on first use"

    rig.run(scene())


def test_damaged_drafts_are_told_of_and_ignored(rig):
    (rig.paths.data / "drafts.json").write_text("{rubbish")

    async def scene():
        async with rig.window() as window:
            assert window.host.current_id == "alpha.panel"
            assert "Unfinished work could not be read whole" in titles(window)

    rig.run(scene())


@pytest.mark.expects_log
def test_a_draft_that_does_not_fit_is_told_of_in_its_panel(rig):
    (rig.paths.data / "drafts.json").write_text(json.dumps({"drafts": {"alpha.panel": {"old": 1}}}))

    async def scene():
        async with rig.window() as window:
            page = window.host.page("alpha.panel")
            assert page.panel is not None and "unfinished work" in page.trouble.error.title

    rig.run(scene())


def test_the_engine_dies_and_comes_back(rig):
    async def scene():
        async with rig.window() as window:
            rig.engine.announce("j1", "running")
            await until(lambda: "Prompt of j1" in window.strip.headline)
            rig.engine.down = True
            rig.engine.die()
            await until(lambda: "coming back" in window.strip.headline)
            panel = window.host.current
            assert panel.seen[-1] == "lost" and panel.isVisible()
            with pytest.raises(StudioError, match="not there"):
                await window.context.connection.call("status")
            rig.engine.down = False
            await until(lambda: panel.seen[-1] == "attached")
            await until(lambda: "Prompt of j1" in window.strip.headline)

    rig.run(scene())


def test_a_submit_that_lost_its_answer_is_made_again_with_the_same_id(rig):
    async def scene():
        async with rig.window() as window:
            rig.engine.lose_after.add("submit")
            window.host.current.generate()
            await until(lambda: len(rig.engine.asked("submit")) == 2)
            first, second = rig.engine.asked("submit")
            assert first == second
            await settled(window)
            assert window.host.page("alpha.panel").trouble is None

    rig.run(scene())


def test_what_the_engine_refuses_appears_on_the_panel(rig):
    async def scene():
        async with rig.window() as window:
            rig.engine.refuse["submit"] = StudioError("Too large", "It needs 9 GB.", "Use a smaller model.")
            window.host.current.generate()
            page = window.host.page("alpha.panel")
            await until(lambda: page.trouble is not None)
            assert page.trouble.error.detail == "It needs 9 GB."

    rig.run(scene())
