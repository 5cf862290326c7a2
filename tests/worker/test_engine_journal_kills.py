"""A process that commits to a journal, killed at random: whatever it said was durable is."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.engine.journal import Journal

pytestmark = pytest.mark.worker
KILLS = 20
CHILD = """
import sys
from pathlib import Path
from studio.engine.journal import Commit, Journal
journal = Journal(Path(sys.argv[1]))
seq = len(journal.load()[0])
print("open", flush=True)
while True:
    work = Commit()
    for _ in range(1 + seq % 3):
        seq += 1
        work.save({"id": f"j{seq}", "seq": seq, "text": "x" * (seq % 700)})
    if seq % 7 == 0:
        work.meta["seen"] = str(seq)
    journal.commit(work)
    if seq % 50 == 0:
        journal.backup(at_least_s=0)
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""


def test_what_was_acknowledged_is_there_after_every_kill(tmp_path: Path):
    path, pick, acknowledged = tmp_path / "journal.sqlite", random.Random(9), 0
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        told = [child.stdout.readline() for _ in range(pick.randint(0, 12))]
        time.sleep(pick.uniform(0, 0.004))  # anywhere in what comes after
        os.kill(child.pid, 9)
        told += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.wait()
        child.stdout.close()
        acknowledged = int(told[-1]) if told else acknowledged
        journal = Journal(path)
        jobs, meta = journal.load()
        journal.close()
        assert not journal.notices
        assert [job["seq"] for job in jobs] == list(range(1, len(jobs) + 1)), "a transaction came apart"
        assert len(jobs) >= acknowledged and int(json.loads(meta.get("seen", "0"))) <= len(jobs)
        assert all(job["text"] == "x" * (job["seq"] % 700) for job in jobs)
    assert acknowledged > KILLS
