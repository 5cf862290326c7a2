"""The rules in conftest.py really fail a test: a rule that nobody sees fail may not be there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]

SINS = """
import logging, subprocess, sys, threading, time, warnings
import pytest

def test_good(): assert True
def test_warns(): warnings.warn("careless", UserWarning)
def test_logs(): logging.getLogger("x").warning("careless")
@pytest.mark.expects_log
def test_may_log(): logging.getLogger("x").warning("wanted")
def test_thread(): threading.Thread(target=time.sleep, args=(60,), daemon=True, name="careless").start()
def test_process():
    global child
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
def test_orphan():
    sleep = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    code = f"import subprocess, sys; subprocess.Popen({sleep}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", code], check=True)
def test_window(qapp):
    global window
    from PySide6.QtWidgets import QWidget
    window = QWidget()
    window.show()
"""


def test_each_rule_fails_a_test_that_breaks_it(tmp_path):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "test_sins.py").write_text(SINS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "ATELIER_TEST_PATIENCE": "0.5"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    named = {line.partition("::")[2].split()[0] for line in lines}
    expected = {f"test_{sin}" for sin in ("warns", "logs", "thread", "process", "orphan", "window")}
    assert named == expected, run.stdout
    assert sum("process" in line for line in lines if "orphan" in line) == 1
