"""How far a job is: one reading of a progress event, so that the strip, the cards and the command line say the same.

`done` of `total` count what a person counts: the steps of the present round, at `rate` of `unit` a second. A job of
several rounds says which one it is in (`round` of `rounds`, each a `name`), and `share`, of all its work, 0 to 1.
"""

from collections.abc import Mapping
from typing import Any

Progress = Mapping[str, Any]


def share(progress: Progress) -> float | None:
    """How much of the job is done, 0 to 1; None when nobody knows."""
    told, total = progress.get("share"), progress.get("total")
    if told is None:
        if not total:
            return None
        told = (progress.get("done") or 0) / total
    return min(1.0, max(0.0, told))


def left_s(progress: Progress) -> float | None:
    """Seconds until the job's end; None when nobody knows."""
    if isinstance(told := progress.get("eta_s"), int | float):
        return max(0.0, told)
    total, rate = progress.get("total"), progress.get("rate")
    if not total or not isinstance(rate, int | float) or rate <= 0 or progress.get("rounds"):
        return None
    return max(0.0, total - (progress.get("done") or 0)) / rate


def left_words(progress: Progress) -> str:
    """ "0:05 left", or nothing. At its end nothing is left to say."""
    seconds = left_s(progress)
    return "" if seconds is None else f"{clock(seconds)} left"


def place(progress: Progress) -> str:
    """ "picture 2 of 4 · step 8 of 30"; "12 tokens" where no total is known; "" before anything is done."""
    done, total, unit = progress.get("done"), progress.get("total"), unit_of(progress)
    if not isinstance(done, int) or not (done or total):
        return ""
    steps = f"{unit} {done:,} of {total:,}" if total else f"{done:,} {unit if done == 1 else many(unit)}"
    return " · ".join(part for part in (_round(progress, " of "), steps) if part)


def brief(progress: Progress) -> str:
    """ "picture 2/4 · 8/30"; "12 tokens" where no total is known."""
    done, total = progress.get("done"), progress.get("total")
    if total:
        return " · ".join(part for part in (_round(progress, "/"), f"{done or 0:,}/{total:,}") if part)
    return f"{done:,} {many(str(progress.get('unit') or ''))}".strip() if done else ""


def unit_of(progress: Progress) -> str:
    """What is counted, as one of them; "it" is a step."""
    unit = str(progress.get("unit") or "it")
    return "step" if unit == "it" else unit.removesuffix("s") if len(unit) > 3 else unit


def many(unit: str) -> str:
    """ "token" as "tokens"; abbreviations ("it", "MB") stay."""
    return f"{unit}s" if len(unit) > 2 and unit.islower() and not unit.endswith("s") else unit


def clock(seconds: float) -> str:
    """0:05, 12:40, 3:05:00."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _round(progress: Progress, of: str) -> str:
    """ "picture 2 of 4" where there is more than one."""
    at, rounds = progress.get("round"), progress.get("rounds")
    if not at or not rounds or rounds < 2:
        return ""
    return f"{progress.get('name') or 'round'} {at:,}{of}{rounds:,}"
