"""What a job tells of its progress: steps as a person counts them, and the time that is really left."""

from pathlib import Path
from typing import Any

import pytest

from studio.cli.show import progress_text
from studio.engine.live import Live
from studio.kit.results import going
from studio.sdk.operation import Round
from studio.sdk.progress import left_s, share
from studio.ui.activity import counted
from studio.wire.messages import Progress, Run
from studio.worker import context
from studio.worker.context import WorkerContext

pytestmark = pytest.mark.unit


class Alone:
    """Baton and outbox of a job that nobody disturbs."""

    def __init__(self) -> None:
        self.told: list[Progress] = []

    def boundary(self, *_: Any) -> None:
        pass

    def progress(self, message: Progress, preview: Any) -> None:
        self.told.append(message)


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that takes the seconds of a step and what the job says after it; the progress as clients get it."""
    now, alone, live = [0.0], Alone(), Live()
    monkeypatch.setattr(context.time, "monotonic", lambda: now[0])
    run = Run("j", "x.y", {}, {}, {}, str(tmp_path), str(tmp_path / "receipts" / "j.json"), {"params": {}})
    parts: Any = alone
    made = WorkerContext(run, parts, parts, parts, type("Cpu", (), {"name": "cpu", "dtype": ""})(), parts, parts)

    def step(seconds: float, *counted: int, **more: Any) -> dict[str, Any]:
        now[0] += seconds
        made.step(*counted, **more)
        return live.progress(alone.told[-1])

    return step


def test_rounds_of_different_length_count_their_own_steps_and_the_time_of_all(steps):
    """Four pictures at once for four steps of 4 s, then one alone for four steps of 1 s: 20 s."""
    found = [steps(4, at, 4, round=Round(1, 2), work=(4 * at, 20 - 4 * at)) for at in (1, 2, 3, 4)]
    found += [steps(1, at, 4, round=Round(2, 2), work=(16 + at, 4 - at)) for at in (1, 2, 3, 4)]
    said = [tuple(one[name] for name in ("done", "total", "round", "rounds")) for one in found[3:5]]
    assert said == [(4, 4, 1, 2), (1, 4, 2, 2)]
    assert [left_s(one) for one in found[1:4]] == pytest.approx([12, 8, 4])
    assert found[2]["rate"] == pytest.approx(1 / 4), "steps a second, not pictures times steps"
    assert found[4]["rate"] is not None, "the rate goes on where a round begins"
    shares = [share(one) or 0 for one in found]
    assert shares == sorted(shares) and shares[-1] == 1


def test_a_round_that_is_left_early_makes_nobody_quicker(steps):
    """Three pictures of ten steps of 2 s each; the first one is stopped after its second step."""
    found = [steps(2, at, 10, round=Round(1, 3, "picture"), work=(at, 30 - at)) for at in (1, 2)]
    found += [steps(2, at, 10, round=Round(2, 3, "picture"), work=(2 + at, 20 - at)) for at in (1, 2)]
    assert [one["rate"] for one in found[1:]] == pytest.approx([0.5] * 3)
    assert left_s(found[-1]) == pytest.approx(36) and share(found[-1]) == pytest.approx(4 / 22)
    again = steps(2, 3, 10, round=Round(3, 3, "picture"))
    assert share(again) == pytest.approx(23 / 30), "without work told, all rounds are equal"


def test_what_counts_through_says_no_more_than_before(steps):
    found = [steps(2, at, 10, unit="chunk") for at in (1, 2, 3)][-1]
    assert "rounds" not in found and "share" not in found
    assert (share(found), left_s(found)) == (0.3, pytest.approx(14))


@pytest.mark.parametrize(
    ("progress", "strip", "card", "line"),
    [
        (
            {"done": 8, "total": 30, "rate": 2.0, "unit": "it", "round": 2, "rounds": 4, "name": "picture",
             "share": 0.3, "eta_s": 41.0, "stage": ""},
            "picture 2/4 · 8/30 · 2.0 it/s · 0:41 left",
            "Picture 2 of 4 · step 8 of 30 · 2.0 it/s · 0:41 left",
            "picture 2/4 · 8/30 · 2.0 it/s · 0:41 left",
        ),
        (
            {"done": 8, "total": 30, "rate": 2.0, "unit": "it", "stage": ""},
            "8/30 · 2.0 it/s · 0:11 left",
            "Step 8 of 30 · 2.0 it/s · 0:11 left",
            "8/30 · 2.0 it/s · 0:11 left",
        ),
        (
            {"done": 3, "total": 20, "rate": None, "unit": "tile", "stage": ""},
            "3/20", "Tile 3 of 20", "3/20",
        ),
        (
            {"done": 1, "total": 4, "rate": None, "unit": "it", "round": 1, "rounds": 2, "name": "pass", "share": 0.1},
            "pass 1/2 · 1/4", "Pass 1 of 2 · step 1 of 4", "pass 1/2 · 1/4",
        ),
    ],
)  # fmt: skip
def test_strip_card_and_command_line_say_the_same(progress, strip, card, line):
    assert (counted(progress), going(progress), progress_text(progress)) == (strip, card, line)
