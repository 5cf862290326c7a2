"""Renders chat templates in a process that may die of them: `python -P template_child.py LIMITS`.

A template comes with a model, from anywhere, and the sandbox that keeps it from files and code lets it loop for
ever or ask for any amount of memory. Here the system sets the limits: processor time for each rendering, where the
system knows such a thing, and memory. One JSON object a line comes on standard input, one goes out on standard
output; the first line says that it is ready. Imports the standard library and transformers' rendering, nothing of
the application; `renderer.py` is the other side.
"""

import json
import os
import re
import signal
import sys
from typing import Any


def main(limits: dict[str, Any]) -> None:
    """limits: `cpu_s` (seconds of computing), `memory` (bytes beyond what the process needs itself), `output`."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that prints may be taken for an answer
    from transformers.utils.chat_template_utils import render_jinja_template

    _bound_memory(int(limits["memory"]))
    _say(answers, {"ready": True})
    for line in sys.stdin.buffer:
        _say(answers, _answer(render_jinja_template, json.loads(line), limits))


def _answer(render: Any, asked: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """{"text": …}, or {"error": kind, "words": …} where the template or the conversation is to blame."""
    import jinja2

    most = int(limits["output"]) + 4 * sum(len(str(message.get("content", ""))) for message in asked["messages"])
    _clock(float(limits["cpu_s"]))
    try:
        rendered, _ = render(
            conversations=[asked["messages"]],
            chat_template=asked["template"],
            continue_final_message=asked["continue"],
            add_generation_prompt=not asked["continue"],
            **asked["variables"],
        )
        text = rendered[0]
        if len(text) > most:
            return {"error": "size", "words": f"{len(text):,} characters; {most:,} are the limit"}
        return {"text": text}
    except MemoryError:
        return {"error": "memory", "words": ""}
    except jinja2.TemplateSyntaxError as error:
        return {"error": "syntax", "words": f"{error.message} (line {error.lineno})"}
    except jinja2.TemplateError as error:
        return {"error": "template", "words": _short(error)}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        kind = "continue" if "continue_final_message" in str(error) else "template"
        return {"error": kind, "words": _short(error)}
    finally:
        _clock(0)


def _short(error: BaseException) -> str:
    words = re.split(r"\n|Final message to continue:", str(error).strip(), maxsplit=1)[0][:300]
    return words or type(error).__name__


def _clock(seconds: float) -> None:
    """Ends the process when it has computed for so long: also inside one long operation, which no handler could."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _bound_memory(extra: int) -> None:
    """No more address space than now and `extra` bytes, where the system keeps count of it."""
    try:
        import resource
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError, ValueError):
        return  # another system: the time limit is what bounds it
    most = pages * resource.getpagesize() + extra
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(answers: Any, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
