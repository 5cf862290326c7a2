"""The queue as a list: pages, order, selection that follows jobs, and what the drawer asks of the engine."""

import asyncio
import datetime

import pytest
from PySide6.QtCore import QItemSelectionModel, QModelIndex
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QListView, QWidget

from studio.kit.turns import WAITS, waiting
from studio.ui import queue_commands as commands
from studio.ui.queue_model import HISTORY, ID, JOB, PAGE, QueueModel
from studio.ui.queue_rows import JobDelegate, when
from studio.wire.messages import Event

pytestmark = pytest.mark.qt


def job(number: int, state: str = "queued", **more) -> dict:
    return {
        "id": f"j{number}",
        "state": state,
        "operation": "probe.noop",
        "params": {},
        "title": f"Job {number}",
        **more,
    }


class Engine:
    """The engine's `jobs` over two lists, and what was asked of it."""

    def __init__(self, waiting: int = 0, running: int = 0, ended: int = 0):
        self.running = [job(100_000 + i, "running") for i in range(running)]
        self.waiting = [job(i) for i in range(waiting)]
        self.ended = [job(200_000 + i, "finished") for i in range(ended)]
        self.asked: list[tuple] = []

    async def jobs(self, states, offset=0, limit=200, newest=False) -> dict:
        self.asked.append((states[0], offset, limit))
        await asyncio.sleep(0)
        source = self.waiting if "queued" in states else self.ended if "finished" in states else self.running
        source = list(reversed(source)) if newest else source
        return {
            "total": len(source),
            "waiting": len(self.waiting),
            "held": False,
            "jobs": [dict(j) for j in source[offset : offset + limit]],
        }


@pytest.fixture
def run(qtbot):
    """Runs what models spawn to its end when asked to."""
    tasks: list = []

    def spawn(work) -> None:
        tasks.append(work)

    def settle(model: QueueModel) -> None:
        def quiet() -> bool:
            while tasks:
                asyncio.run(tasks.pop(0))
            return not model._timer.isActive() and not model._busy and not tasks

        qtbot.waitUntil(quiet)

    spawn.settle = settle
    yield spawn
    for work in tasks:
        work.close()


def model_of(engine: Engine, run, **more) -> QueueModel:
    model = QueueModel(engine.jobs, run, **more)
    model.tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_active(True)
    run.settle(model)
    return model


def ids(model: QueueModel, rows) -> list:
    return [model.data(model.index(row), ID) for row in rows]


def test_ten_thousand_waiting_jobs_cost_one_page(run):
    engine = Engine(waiting=10_000, running=2)
    model = model_of(engine, run)
    assert model.rowCount() == 10_002
    assert ids(model, (0, 1, 2, 3)) == ["j100000", "j100001", "j0", "j1"]
    assert len(engine.asked) == 2
    assert sum(limit for state, _, limit in engine.asked if state == "queued") == PAGE


def test_a_page_comes_when_a_view_looks_at_it(run):
    engine = Engine(waiting=10_000)
    model = model_of(engine, run)
    assert model.data(model.index(5_050), JOB) is None
    run.settle(model)
    assert model.data(model.index(5_050), JOB)["id"] == "j5050"
    assert [a for a in engine.asked if a[0] == "queued"][1:] == [("queued", 5_000, PAGE)]


def test_an_inactive_model_asks_nothing_and_is_right_when_it_is_shown(run):
    engine = Engine(waiting=3)
    model = QueueModel(engine.jobs, run)
    model.on_event(Event("job", "j1", job(1)))
    assert engine.asked == []
    model.set_active(True)
    run.settle(model)
    assert model.rowCount() == 3


def test_changes_are_shown_at_once_and_put_right_after(run):
    engine = Engine(waiting=3)
    model = model_of(engine, run)
    model.on_event(Event("job", "j1", job(1, "running")))
    model.on_event(Event("progress", "j1", {"done": 1, "total": 2}))
    assert model.data(model.index(1), JOB)["state"] == "running"
    assert model.data(model.index(1), JOB)["live"]["progress"]["done"] == 1
    engine.running, engine.waiting = [job(1, "running")], [job(0), job(2)]
    run.settle(model)
    assert ids(model, range(3)) == ["j1", "j0", "j2"]


@pytest.mark.parametrize("left", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2], [], [0, 2, 4, 6, 8, 10]])
def test_what_is_selected_stays_selected_wherever_it_goes(run, qtbot, left):
    engine = Engine(waiting=5)
    model = model_of(engine, run)
    view = QListView()
    qtbot.addWidget(view)
    view.setModel(model)
    view.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
    for row in (2, 4):
        view.selectionModel().select(model.index(row), QItemSelectionModel.SelectionFlag.Select)
    engine.waiting = [job(number) for number in left]
    model.refresh(now=True)
    run.settle(model)
    assert ids(model, range(model.rowCount())) == [f"j{number}" for number in left]
    selected = {model.data(index, ID) for index in view.selectedIndexes()}
    assert selected == {f"j{number}" for number in left} & {"j2", "j4"}


def test_the_newest_of_the_history_comes_first(run):
    model = model_of(Engine(ended=150), run, head=(), states=HISTORY, newest=True)
    assert ids(model, (0, 1)) == ["j200149", "j200148"]


@pytest.mark.parametrize(
    ("job_id", "row", "order", "before"),
    [
        ("j0", 2, "j1 j0 j2 j3", "j2"),
        ("j3", 0, "j3 j0 j1 j2", "j0"),
        ("j0", 4, "j1 j2 j3 j0", ""),
        ("j2", 1, "j0 j2 j1 j3", "j1"),
    ],
)
def test_a_job_moves_in_front_of_another(run, job_id, row, order, before):
    model = model_of(Engine(waiting=4), run)
    moves = []
    model.moved.connect(lambda *move: moves.append(move))
    assert model.move_job(job_id, row)
    assert " ".join(ids(model, range(4))) == order
    assert moves == [(job_id, before)]


def test_moves_that_are_none_are_refused(run):
    engine = Engine(waiting=3, running=1)
    model = model_of(engine, run)
    moves = []
    model.moved.connect(lambda *move: moves.append(move))
    assert not model.move_job("j1", 2)
    assert not model.move_job("j1", 3)
    assert not model.move_job("j100000", 3)
    assert not model.move_job("ghost", 3)
    assert moves == []
    assert model.move_job("j2", 0), "above what runs means first of what waits"
    assert ids(model, range(4)) == ["j100000", "j2", "j0", "j1"]


def test_dragging_rows_in_the_view_moves_them(run):
    model = model_of(Engine(waiting=5), run)
    moves = []
    model.moved.connect(lambda *move: moves.append(move))
    assert model.moveRows(QModelIndex(), 0, 2, QModelIndex(), 4)
    assert ids(model, range(5)) == ["j2", "j3", "j0", "j1", "j4"]
    assert moves == [("j0", "j4"), ("j1", "j4")]


def test_a_drag_is_not_undone_by_an_answer_that_was_on_its_way(run, qtbot):
    engine = Engine(waiting=3)
    model = model_of(engine, run)
    held = []
    real = engine.jobs

    async def slow(**asked):
        reply = await real(**asked)
        if asked["states"] == ["queued"] and not held:
            held.append(reply)
            model.move_job("j2", 0)
            engine.waiting = [job(2), job(0), job(1)]
        return reply

    model._fetch = slow
    model.refresh(now=True)
    run.settle(model)
    assert held and ids(model, range(3)) == ["j2", "j0", "j1"]


def test_commands_fit_states():
    by_id = {command.id: command for command in commands.WAITING_COMMANDS}
    assert by_id["pause"].allows([job(1)])
    assert not by_id["resume"].allows([job(1)])
    assert by_id["resume"].allows([job(1, "paused")])
    assert not by_id["edit"].allows([job(1), job(2)])
    assert not by_id["edit"].allows([job(1, "paused", worker="w1")])
    assert not by_id["cancel"].allows([])
    assert not commands.shown(by_id["pause"], [job(1, "paused")])
    assert commands.shown(by_id["now"], [job(1, not_before=5.0)])


def test_only_fitting_jobs_are_asked_about():
    asked = []

    async def call(method, **params):
        asked.append((method, params))

    by_id = {command.id: command for command in commands.WAITING_COMMANDS}
    evening = datetime.datetime(2026, 11, 21, 18, 30)
    jobs = [job(1), job(2, "running"), job(3, "finished")]
    asyncio.run(commands.perform(call, by_id["cancel"], jobs))
    asyncio.run(commands.perform(call, by_id["tonight"], jobs, evening))
    asyncio.run(commands.perform(call, by_id["now"], jobs))
    ten = datetime.datetime(2026, 11, 21, 22).timestamp()
    assert asked == [
        ("cancel", {"job": "j1"}),
        ("cancel", {"job": "j2"}),
        ("edit", {"job": "j1", "not_before": ten}),
        ("edit", {"job": "j1", "not_before": 0.0}),
    ]


def test_the_night_has_begun_when_it_is_night():
    for hour in (22, 23, 0, 5):
        now = datetime.datetime(2026, 11, 21, hour, 10)
        assert commands.tonight(now) == now.timestamp()


def test_times_of_today_are_short():
    now = datetime.datetime(2026, 11, 21, 18, 30)
    assert when(datetime.datetime(2026, 11, 21, 9, 5).timestamp(), now) == "09:05"
    assert when(datetime.datetime(2026, 11, 20, 9, 5).timestamp(), now) == "20 Nov 09:05"


def test_a_job_that_waits_for_the_device_says_so(qapp):
    low = {"id": "low", "state": "running", "worker": "w1", "priority": 2}
    jobs = [low, {"id": "high", "state": "starting", "worker": "w1", "priority": 0}]
    assert waiting([*jobs, {**low, "id": "elsewhere", "worker": "w2"}, {**low, "id": "c", "state": "cancelling"}]) == {
        "low"
    }
    assert waiting([low]) == waiting([{**job, "priority": 1} for job in jobs]) == set()
    holder = QWidget()
    delegate = JobDelegate(holder)
    delegate.waiting = waiting(jobs)
    assert WAITS in delegate.detail({**low, "operation": "x"}) and WAITS not in delegate.detail(jobs[1])
