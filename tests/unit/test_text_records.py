"""A token's record: what is kept of it in 120 bytes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.text.records import MOST, Alternative, TokenRecord

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
