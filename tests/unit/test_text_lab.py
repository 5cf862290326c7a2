"""The chain of the window: over a stored record, without torch. That it is the worker's is tested there."""

import math
import subprocess
import sys

import pytest

from plugins.text import chain_lab
from plugins.text.marks import TokenMarks
from plugins.text.params_sampling import SamplingParams
from plugins.text.records import Alternative, TokenRecord
from plugins.text.stages import StageName

pytestmark = pytest.mark.unit
CHANCES = {7: 0.5, 3: 0.3, 9: 0.15}
RECORD = TokenRecord(
    3, 2, math.log(0.3), 0.0, 1.0, 1, tuple(Alternative(t, math.log(p), -math.inf) for t, p in CHANCES.items())
)


def test_a_stored_record_is_run_through_other_settings() -> None:
    ids, values, share = chain_lab.stored(TokenRecord.unpack(RECORD.pack()))
    assert (ids, share) == ([7, 3, 9], pytest.approx(0.95, abs=1e-3))
    settings = SamplingParams(temperature=1, top_k=2, order=[StageName.TOP_K, StageName.TEMPERATURE])
    found = chain_lab.trace(ids, values, settings, TokenMarks(10))
    assert [(seen.stage, seen.kept) for seen in found[:3]] == [(None, 3), ("top_k", 2), ("temperature", 2)]
    assert found[-1].probabilities == pytest.approx([0.625, 0.375], abs=1e-3)
    assert len(found) == 1 + len(StageName)


@pytest.mark.parametrize(("uniform", "token"), [(0.0, 7), (0.52, 7), (0.53, 3), (0.84, 3), (0.85, 9), (0.999999, 9)])
def test_a_number_picks_what_it_would_have_picked(uniform: float, token: int) -> None:
    ids, values, _ = chain_lab.stored(RECORD)
    plain = SamplingParams(temperature=1, top_k=0)
    last = chain_lab.trace(ids, values, plain, TokenMarks(10))[-1]
    assert chain_lab.pick(last, plain, uniform) == token
    assert chain_lab.pick(last, SamplingParams(temperature=0), uniform) == 7


def test_a_window_can_run_it() -> None:
    heavy = {"torch", "numpy", "tokenizers", "llguidance"}
    code = f"import sys, plugins.text.chain_lab; print(*({heavy} & set(sys.modules)))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == []
