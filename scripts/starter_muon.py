"""The optimizer of short trainings: Muon for the matrices of the layers, AdamW for everything else.

Owns the rule of Muon in float32. Where only a few hundred steps fit, it learns from fewer tokens than AdamW alone.
"""

from collections.abc import Iterable
from typing import Any

import torch


def orthogonal(matrix: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """The nearest matrix of singular values near 1, (rows, columns), by Newton and Schulz's iteration.

    The quintic's coefficients are those of Jordan et al. (2024), "Muon: An optimizer for hidden layers".
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    turned = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if turned else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if turned else x


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal; scaled by 0.2 sqrt(longer side), so that rates and decay of AdamW serve.

    The scale is that of Liu et al. (2025), "Muon is Scalable for LLM Training", section 2.2.
    """

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.1):
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                kept = self.state[p].setdefault("momentum", torch.zeros_like(p))
                kept.mul_(group["momentum"]).add_(p.grad)
                update = orthogonal(p.grad + group["momentum"] * kept)
                p.mul_(1 - group["lr"] * group["decay"])
                p.add_(update, alpha=-group["lr"] * 0.2 * max(p.shape) ** 0.5)


def optimizers(model: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices; AdamW, without decay, for embedding and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    known = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in known]
    return [Muon(matrices, rate), torch.optim.AdamW(others, rate, betas=(0.9, 0.95), weight_decay=0.0)]
