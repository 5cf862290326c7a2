"""How a slider's way maps to numbers: evenly, or crowded at the small end where ranges are wide. No Qt."""

import math
from dataclasses import dataclass

from studio.sdk.fields import FieldSpec

STEPS = 1000
WIDE = 500


@dataclass(frozen=True, slots=True)
class Scale:
    """`low`..`high` is the slider's range; `curve` 1 is even, 3 gives the small numbers most of the way."""

    low: float
    high: float
    step: float
    whole: bool
    curve: float = 1.0

    def value(self, position: int) -> float:
        """The number at a position of 0..STEPS; round ones where the way is curved."""
        share = max(0, min(STEPS, position)) / STEPS
        if position <= 0 or position >= STEPS:
            return self._typed(self.high if share else self.low)
        raw = self.low + (self.high - self.low) * share**self.curve
        return self.snap(_two_digits(raw) if self.curve != 1.0 else raw)

    def position(self, value: float) -> int:
        """The place of a number; at the end for one outside."""
        if self.high <= self.low:
            return 0
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(STEPS * share ** (1 / self.curve))

    def snap(self, value: float) -> float:
        """The nearest multiple of the step, inside the range."""
        value = round(value / self.step) * self.step
        return self._typed(min(max(value, self.low), self.high))

    def _typed(self, value: float) -> float:
        return round(value) if self.whole else float(f"{value:.10g}")


def scale_of(spec: FieldSpec) -> Scale | None:
    """The slider of a number; None when its range is open, so that no slider makes sense."""
    low, high = _ends(spec)
    if low is None or high is None or high <= low:
        return None
    whole, step = spec.kind == "int", step_of(spec)
    low += step if spec.above and low == spec.minimum else 0
    high -= step if spec.below and high == spec.maximum else 0
    wide = whole and low >= 0 and high - low >= WIDE
    return Scale(low, high, step, whole, 3.0 if wide else 1.0)


def step_of(spec: FieldSpec) -> float:
    """How far one press of an arrow key goes."""
    if spec.ui.step or spec.multiple_of:
        return float(spec.ui.step or spec.multiple_of or 1)
    if spec.kind == "int":
        return 1
    low, high = _ends(spec)
    if low is None or high is None or high <= low:
        return 0.1
    return 10.0 ** math.floor(math.log10((high - low) / 50))


def _ends(spec: FieldSpec) -> tuple[float | None, float | None]:
    """The slider's range: the soft limits, else the allowed ones."""
    soft = spec.ui
    return (
        spec.minimum if soft.soft_min is None else soft.soft_min,
        spec.maximum if soft.soft_max is None else soft.soft_max,
    )


def _two_digits(value: float) -> float:
    if value == 0:
        return 0.0
    return round(value, 1 - math.floor(math.log10(abs(value))))
