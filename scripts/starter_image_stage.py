"""A stage of training that may be killed at any time: its clock, its checkpoint, its log.

Owns how a stage is resumed; knows nothing of models beyond their state dicts.
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SAVE_EVERY = 60.0  # seconds of training that a kill may cost


def busy() -> float:
    """Seconds that the cores of this process worked, the share of one thread: others on the machine do not count."""
    return time.process_time() / torch.get_num_threads()


class Stage:
    """One stage with a budget of seconds. Seconds spent before a kill count on the next start."""

    def __init__(
        self,
        name: str,
        state: Path,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        save_every: float = SAVE_EVERY,
    ):
        self.name, self.seconds, self.clock, self.save_every = name, seconds, clock, save_every
        self.step = 0
        self._file = state / f"{name}.pt"
        self._log = state / f"{name}.jsonl"
        self._before = 0.0
        self._began = clock()
        self._saved = 0.0
        self._logged = 0.0

    @property
    def spent(self) -> float:
        return self._before + self.clock() - self._began

    @property
    def progress(self) -> float:
        """Share of the budget that is used, 0 to 1."""
        return min(1.0, self.spent / self.seconds)

    def resume(self) -> dict[str, Any] | None:
        """The newest checkpoint, or None; sets step and clock to it."""
        if not self._file.exists():
            return None
        found = torch.load(self._file, weights_only=True)
        self.step, self._before, self._saved = found["step"], found["spent"], found["spent"]
        self._began = self.clock()
        return found["state"]

    @staticmethod
    def steps_of(state: Path, name: str) -> int:
        """Steps that a stage has done; none if it never ran."""
        file = state / f"{name}.pt"
        return torch.load(file, weights_only=True)["step"] if file.exists() else 0

    def save(self, state: dict[str, Any]) -> None:
        """Writes a checkpoint that is either the old or the new one, never half of each."""
        partial = self._file.with_suffix(".partial")
        torch.save({"step": self.step, "spent": self.spent, "state": state}, partial)
        partial.replace(self._file)
        self._saved = self.spent

    def is_due(self) -> bool:
        return self.spent - self._saved > self.save_every

    def rate(self, peak: float, warmup: int = 100) -> float:
        """Learning rate: linear warm-up over steps, then a half cosine over the budget's seconds."""
        return peak * min(1.0, (self.step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))

    def log(self, every: float = 15.0, **facts: float) -> None:
        """A line of figures to the log and the screen, at most one every `every` seconds."""
        if self.step > 1 and self.spent - self._logged < every:
            return
        self._logged = self.spent
        line = json.dumps(
            {"step": self.step, "seconds": round(self.spent, 1)} | {k: round(v, 5) for k, v in facts.items()}
        )
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(self.name, line, flush=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
