"""Changes in hunks: any choice of them applies, a file that moved on is found again or refused, never half changed."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.code.hunks import Proposal
from studio.errors import StudioError

pytestmark = pytest.mark.unit
OLD = "import os\n\n\ndef first():\n    return 1\n\n\ndef second():\n    return 2\n\n\ndef third():\n    return 3\n"
NEW = OLD.replace("return 1", "return 10").replace("    return 3\n", "    x = 3\n    return x\n")
NEW = NEW.removeprefix("import os\n")
texts = st.lists(st.sampled_from(["a", "b", "c", "", "  d", "é\u2028"]), max_size=12).map("\n".join)


@given(texts, texts)
def test_all_hunks_make_the_new_text_and_none_the_old(old, new):
    proposal = Proposal.between(old, new)
    assert proposal.apply(range(len(proposal.hunks))) == new
    assert proposal.apply([]) == old
    assert (not proposal.hunks) == (old == new)


@given(texts, texts, st.data())
def test_hunks_accepted_one_after_the_other_make_what_they_make_together(old, new, data):
    proposal = Proposal.between(old, new)
    chosen = [n for n in range(len(proposal.hunks)) if data.draw(st.booleans())]
    half = proposal.apply(chosen)
    assert Proposal.between(old, half).apply(range(len(Proposal.between(old, half).hunks))) == half


def test_each_hunk_can_be_taken_alone():
    proposal = Proposal.between(OLD, NEW)
    assert [hunk.title for hunk in proposal.hunks] == ["Line 1: 1 removed", "Line 5: 1 to 1", "Line 13: 1 to 2"]
    assert proposal.apply([1]) == OLD.replace("return 1", "return 10")
    assert proposal.apply([2, 0]) == NEW.replace("return 10", "return 1")


def test_a_file_that_moved_on_is_found_again():
    proposal = Proposal.between(OLD, NEW)
    now = "# a new head\n" + OLD.replace("def second", "def renamed")
    assert proposal.apply([0, 1, 2], now) == "# a new head\n" + NEW.replace("def second", "def renamed")


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (OLD.replace("return 1", "return 99"), "not there"),
        (OLD + OLD, "several"),
        ("", "not there"),
    ],
)
def test_a_place_that_is_gone_or_doubtful_is_refused_and_nothing_applied(now, word):
    with pytest.raises(StudioError, match="fit the file") as caught:
        Proposal.between(OLD, NEW).apply([0, 1], now)
    assert word in caught.value.detail and caught.value.code == "stale"


def test_what_it_says_as_a_patch_git_applies(tmp_path):
    for old, new in ((OLD, NEW), ("a\nb", "a\nc"), ("a", "a\n")):
        (tmp_path / "x.py").write_text(old)
        patch = Proposal.between(old, new).unified("x.py")
        subprocess.run(["git", "apply", "-"], input=patch.encode(), cwd=tmp_path, check=True)
        assert (tmp_path / "x.py").read_text() == new
