"""A token's record: what is kept of it in 120 bytes."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.text.marks import TokenMarks
from plugins.text.recorded import Recorded
from plugins.text.records import MOST, Alternative, TokenRecord
from studio.errors import StudioError

pytestmark = pytest.mark.unit
ids = st.integers(0, 2**24 - 1)
chances = st.floats(-1e6, 0, width=32)
others = st.lists(st.builds(Alternative, ids, chances, chances | st.just(-math.inf)), max_size=20)


@given(st.builds(TokenRecord, ids, ids, chances, chances, st.floats(0, 20), st.integers(0, 2**24), others.map(tuple)))
def test_packed_it_is_at_most_120_bytes_and_comes_back(record: TokenRecord) -> None:
    packed = record.pack()
    assert len(packed) <= 120 and len(record.line()) <= 160
    back = TokenRecord.unpack(packed)
    assert back == TokenRecord.of_line(record.line())
    assert (back.token, back.rank, back.before, back.after) == (record.token, record.rank, record.before, record.after)
    assert back.entropy == pytest.approx(record.entropy, rel=1e-3, abs=1e-4)
    assert back.survivors == min(record.survivors, 65535)
    assert [a.token for a in back.alternatives] == [a.token for a in record.alternatives[:MOST]]
    for got, given_ in zip(back.alternatives, record.alternatives, strict=False):
        assert got.before == pytest.approx(max(given_.before, -65504), rel=1e-3, abs=1e-4)
        assert (got.after == -math.inf) == (given_.after == -math.inf)
    assert back.pack() == packed


def test_alternatives_by_either_measure() -> None:
    found = (Alternative(1, -0.5, -math.inf), Alternative(2, -2.0, -0.1), Alternative(3, -1.0, -2.0))
    record = TokenRecord(2, 3, -2.0, -0.1, 1.0, 2, found)
    assert [other.token for other in record.likeliest_before()] == [1, 3, 2]
    assert [other.token for other in record.likeliest_after()] == [2, 3]


@pytest.mark.parametrize("bad", [b"", b"short", bytes(18) + b"\x05", bytes(19) + b"x"])
def test_what_is_no_record(bad: bytes) -> None:
    with pytest.raises(ValueError, match="record"):
        TokenRecord.unpack(bad)


MARKS = TokenMarks(50, {3: -math.inf}, frozenset([1, 2, 40]), frozenset([9]))
RECORDS = tuple(
    TokenRecord(token, 1, -1.0, -0.5, 2.0, 3, (Alternative(token, -1.0, -0.5), Alternative(40, -2.0, -math.inf)))
    for token in (7, 8, 9)
)


def test_the_records_of_a_text_survive_their_file_and_a_last_line_that_was_cut_short() -> None:
    lines = list(Recorded(MARKS, (1, 5), RECORDS).lines())
    assert all("\n" not in line for line in lines) and len(lines) == 4
    found = Recorded.read(lines)
    assert (found.prompt, found.records) == ((1, 5), tuple(TokenRecord.unpack(r.pack()) for r in RECORDS))
    assert (found.marks.bias, found.marks.breakers, found.marks.protected) == ({3: -math.inf}, {1, 40}, {9})
    assert found.written_before(2) == [7, 8]
    cut = Recorded.read([*lines[:-1], lines[-1][:30]])
    assert cut.records == found.records[:2]


@pytest.mark.parametrize("change", [lambda lines: [], lambda lines: ["{}"], lambda lines: ["[1]", *lines[1:]]])
def test_what_are_no_records_of_a_text(change: Callable[[list[str]], list[str]]) -> None:
    lines = list(Recorded(MARKS, (1,), RECORDS).lines())
    for bad in (change(lines), [lines[0], '"AAAA"', *lines[1:]], [lines[0].replace(":1,", ":9,", 1), *lines[1:]]):
        with pytest.raises(StudioError) as caught:
            Recorded.read(bad)
        assert caught.value.code == "token-records"
