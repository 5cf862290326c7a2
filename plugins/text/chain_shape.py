"""What values are divided by, as functions of numbers, and the bounds of such numbers. Imports no torch.

Temperature and dynamic temperature; the chain of a worker and that of a window share them.
"""

import math

COLDEST = 1e-6
"""Lower temperatures make no difference any more and would be divided by."""

MOST = 1e6
"""More than this is taken off no score: it forbids, and stays a number."""


def temperature(heat: float) -> float:
    """What values are divided by: Ackley et al. 1985; 0 itself is no temperature but the choice of the likeliest."""
    return max(heat, COLDEST)


def dynamic_temperature(heat: float, span: float, exponent: float, entropy: float, count: int) -> float:
    """low + (high - low) * (H / log n) ** exponent with low, high = max(0, heat - span), heat + span.

    H: entropy in nats of the n = count tokens that can be chosen. The form that llama.cpp and koboldcpp share.
    """
    low, high = max(0.0, heat - span), heat + span
    unsure = min(1.0, entropy / math.log(count)) if count > 1 else 0.0
    return temperature(low + (high - low) * unsure**exponent)
