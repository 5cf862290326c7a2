"""Forks engines that need not import anything any more: tests kill dozens of them.

Reads lines of JSON on standard input: {"start": arguments, "environment": {...}, "output": file} answers
{"pid": n}; {"wait": n, "seconds": s} answers {"code": n}, negative for a signal, null if it still lives.
"""

import json
import os
import sys
import time
from pathlib import Path

import studio.engine.__main__ as engine
import studio.hub.pipeline
import studio.library.index  # noqa: F401 - imported here once instead of in every engine
from studio.engine import crash


def child(order: dict) -> int:
    os.setsid()
    with Path(order["output"]).open("ab") as output, Path(os.devnull).open("rb") as nothing:
        for number, file in enumerate((nothing, output, output)):
            os.dup2(file.fileno(), number)
    os.environ.update(order["environment"])
    crash.arm(os.environ.get("ATELIER_CRASH", ""))
    code = 1
    try:
        code = engine.main(order["start"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int, seconds: float) -> int | None:
    """Its exit code, waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


for line in sys.stdin:
    order = json.loads(line)
    if "start" in order:
        pid = os.fork()
        if pid == 0:
            child(order)
        print(json.dumps({"pid": pid}), flush=True)
    else:
        print(json.dumps({"code": ended(order["wait"], order["seconds"])}), flush=True)
