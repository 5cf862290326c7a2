"""Forks engines that need not import anything any more: tests kill dozens of them.

Reads lines of JSON on standard input: {"start": arguments, "environment": {...}, "output": file} answers
{"pid": n}; {"wait": n} answers {"code": n}, negative for a signal.
"""

import json
import os
import sys
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


for line in sys.stdin:
    order = json.loads(line)
    if "start" in order:
        pid = os.fork()
        if pid == 0:
            child(order)
        print(json.dumps({"pid": pid}), flush=True)
    else:
        _, status = os.waitpid(order["wait"], 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)
