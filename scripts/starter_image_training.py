"""How every design of the starter image model is taught: rounds of all pictures, ways of asking, averaged weights.

Owns the loop; what a design learns from a batch is its own loss. Knows nothing of latents or tokens.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportArgumentType=false, reportReturnType=false

import random
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from transformers import CLIPTokenizer

from scripts.starter_image_stage import Stage, set_rate
from scripts.starter_image_text import asked, token_ids

WARMUP = 200  # steps


class Design(nn.Module):
    """Picture model and text encoder as one module, so that one optimizer and one average serve both."""

    text: nn.Module

    def loss(self, examples: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """examples: (B, ...) of what stands for a picture, ids: (B, LENGTH) of what was asked. A scalar."""
        raise NotImplementedError


Learner = TypeVar("Learner", bound=Design)


def follow(averages: list[torch.Tensor], values: list[torch.Tensor], count: torch.Tensor | int) -> None:
    """The moving average of the weights; a short memory at first, so that it forgets how they began."""
    torch._foreach_lerp_(averages, values, 1.0 - min(0.997, (1 + int(count)) / (10 + int(count))))


def train(
    examples: torch.Tensor,
    names: list[list[str]],
    tokenizer: CLIPTokenizer,
    stage: Stage,
    model: Learner,
    batch: int = 16,
    rate: float = 8e-4,
    until: float = 1.0,
    rate_at: Callable[[Stage], float] | None = None,
) -> Learner:
    """examples: (N, ...), names: N lists. Trains until that share of the stage's time is used, so that it may be
    done in slices; returns the averaged model. rate_at: the learning rate, else a half cosine below `rate`."""
    rate_at = rate_at or (lambda stage: stage.rate(rate, warmup=WARMUP))
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=follow)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    parts = {"model": model, "average": average, "optimizer": optimizer}
    if (saved := stage.resume()) is not None:
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    torch.manual_seed(stage.step)
    dice = random.Random(stage.step)
    order: list[int] = []
    model.train()
    while stage.progress < until:
        while len(order) < batch:
            order += torch.randperm(len(examples)).tolist()
        chosen, order = order[:batch], order[batch:]
        ids = token_ids(tokenizer, [asked(names[i], dice) for i in chosen])
        loss = model.loss(examples[chosen], ids)
        set_rate(optimizer, rate_at(stage))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        stage.step += 1
        stage.log(every=30.0, loss=loss.item(), rate=rate_at(stage))
        if stage.is_due():
            stage.save({name: part.state_dict() for name, part in parts.items()})
    stage.save({name: part.state_dict() for name, part in parts.items()})
    return average.module.eval()


def spread(batch: int) -> torch.Tensor:
    """(batch,) in [0, 1), one from each of as many equal stretches: less luck in the loss than with free draws."""
    return (torch.randperm(batch) + torch.rand(batch)) / batch
