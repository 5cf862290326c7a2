"""Classifier-free guidance for text: away from what a negative prompt would give. One formula, before the chain."""

import torch
from torch import Tensor


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """u + scale * (c - u), c and u the log-softmax of both: Sanchez et al. 2023.

    conditional, unconditional: (V,) or (n, V) logits after the prompt and after the negative one; 1 gives c.
    """
    c, u = torch.log_softmax(conditional, -1), torch.log_softmax(unconditional, -1)
    # A token that one of them forbids (-inf) has no difference to go along.
    return torch.where(torch.isinf(c) | torch.isinf(u), c, u + scale * (c - u))
