"""The training of the starter code model: batches in order, a rate that holds and then falls, checkpoints.

Owns the schedule and the step. Every step follows from the seed and its number, so a training that was killed and
resumed gives the same weights as one that was not.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.starter_code_rows import IGNORED, Marks, Module, epoch_rows, in_middles
from scripts.starter_image_stage import SAVE_EVERY, Stage, set_rate
from scripts.starter_muon import optimizers

WARMUP, FALLING = 40, 0.5  # steps; share of the training in which the rate falls to nothing
MIDDLES_COUNT = 4.0  # as many times a token of a middle counts, once it counts more than others
LOOK_EVERY = 100  # steps between looks at the validation modules
HOLDING = "holding.pt"  # the checkpoint at which the rate began to fall: a longer training goes on from there


@dataclass(frozen=True)
class Course:
    """What a training does; `steps` 0 means as many as fit into the minutes."""

    context: int
    batch: int
    rate: float
    seed: int
    minutes: float
    steps: int = 0
    save_every: float = SAVE_EVERY  # seconds of training that a kill may cost
    middles_from: float = 0.8  # share of the training after which tokens of middles count more; 0 is always


class Batches:
    """Batch number `step` of a training, the same one whenever it is asked for."""

    def __init__(self, read: list[Module], tokenizer: PreTrainedTokenizerFast, course: Course):
        self.read, self.tokenizer, self.course = read, tokenizer, course
        self._epoch = -1
        self._begins = 0
        self._rows: tuple[torch.Tensor, torch.Tensor] | None = None

    def from_step(self, step: int) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        """Epoch, ids and labels (batch, context) of this step and all that follow."""
        while True:
            ids, labels = self.at(step)
            yield self._epoch, ids, labels
            step += 1

    def at(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Goes forward only: epochs are built as they are reached."""
        while step >= self._begins + self.per_epoch:
            self._begins += self.per_epoch
            self._epoch += 1
            course = self.course
            self._rows = epoch_rows(self.read, self.tokenizer, course.context, course.seed, self._epoch)
        begin = (step - self._begins) * self.course.batch
        assert self._rows is not None
        ids, labels = self._rows
        return ids[begin : begin + self.course.batch], labels[begin : begin + self.course.batch]

    @property
    def per_epoch(self) -> int:
        """Whole batches of the epoch at hand, at least one; none before the first."""
        return max(1, len(self._rows[0]) // self.course.batch) if self._rows is not None else 0


class Schedule:
    """Warm-up, a rate that holds, and one that falls linearly to nothing (Hägele et al. 2024, arXiv 2405.18392).

    How many steps fit is known only when the rate must begin to fall; it is then written down and kept.
    """

    def __init__(self, course: Course, stage: Stage, kept: Path):
        self.course, self.stage, self._kept = course, stage, kept
        self.steps = course.steps or (json.loads(kept.read_text())["steps"] if kept.exists() else 0)

    def is_done(self) -> bool:
        if not self.steps and self.stage.progress >= 1 - FALLING:
            self.steps = max(1, round(self.stage.step / (1 - FALLING)))
            partial = self._kept.with_suffix(".partial")
            partial.write_text(json.dumps({"steps": self.steps}))
            partial.replace(self._kept)
        return bool(self.steps) and self.stage.step >= self.steps

    def falls_now(self) -> bool:
        """Whether this step is the first of those whose rate falls."""
        return bool(self.steps) and self.stage.step == self.steps - int(FALLING * self.steps)

    def weighs_middles(self) -> bool:
        """Whether tokens of middles count more at this step."""
        share = self.course.middles_from
        return share == 0 or (bool(self.steps) and self.stage.step >= share * self.steps)

    def rate(self) -> float:
        rising = min(1.0, (self.stage.step + 1) / WARMUP)
        if not self.steps:
            return self.course.rate * rising
        return self.course.rate * min(rising, (self.steps - self.stage.step) / (FALLING * self.steps), 1.0)


def loss_of(
    model: LlamaForCausalLM, ids: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean loss in nats over the labels that count; with weights (batch, context) their weighted mean."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1].flatten(0, 1)
    wanted = labels[:, 1:].flatten()
    if weights is None:
        return F.cross_entropy(logits, wanted, ignore_index=IGNORED)
    counted = weights[:, 1:].flatten() * (wanted != IGNORED)
    losses = F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="none")
    return (losses * counted).sum() / counted.sum()


@torch.no_grad()
def look(model: LlamaForCausalLM, rows: tuple[torch.Tensor, torch.Tensor], most: int = 24) -> float:
    """Loss on rows that are not learnt from."""
    model.eval()
    losses = [loss_of(model, ids[None], labels[None]).item() for ids, labels in zip(*rows, strict=True)][:most]
    model.train()
    return sum(losses) / len(losses)


def go_further(state: Path) -> None:
    """Makes the next training go on from where the rate began to fall, as if it had always had more time."""
    if not (state / HOLDING).exists():
        raise SystemExit(f"{state} holds no training whose rate has begun to fall")
    shutil.copyfile(state / HOLDING, state / "code.partial")
    (state / "schedule.json").unlink(missing_ok=True)
    (state / "code.partial").replace(state / "code.pt")


def train(
    model: LlamaForCausalLM, batches: Batches, course: Course, state: Path, watched: tuple[torch.Tensor, torch.Tensor]
) -> dict[str, Any]:
    """Trains in place. Returns steps, epochs, minutes and the last loss on the watched rows."""
    stage = Stage("code", state, course.minutes * 60, save_every=course.save_every)
    descent = optimizers(model, course.rate)
    if (found := stage.resume()) is not None:
        model.load_state_dict(found["model"])
        for optimizer, kept in zip(descent, found["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
    marks = Marks(batches.tokenizer)
    schedule = Schedule(course, stage, state / "schedule.json")
    model.train()
    arriving, epoch = batches.from_step(stage.step), 0

    def save() -> None:
        stage.save({"model": model.state_dict(), "optimizers": [o.state_dict() for o in descent]})

    while not schedule.is_done():
        if schedule.falls_now():
            save()
            shutil.copyfile(state / "code.pt", state / HOLDING)
        epoch, ids, labels = next(arriving)
        for optimizer in descent:
            set_rate(optimizer, schedule.rate())
            optimizer.zero_grad()
        weights = 1 + (MIDDLES_COUNT - 1) * in_middles(ids, marks) if schedule.weighs_middles() else None
        loss = loss_of(model, ids, labels, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in descent:
            optimizer.step()
        stage.step += 1
        facts = {"loss": loss.item(), "rate": schedule.rate(), "epoch": epoch}
        if stage.step % LOOK_EVERY == 0:
            facts["watched"] = look(model, watched)
        stage.log(every=0.0 if "watched" in facts else course.save_every / 2, **facts)
        if stage.is_due():
            save()
    save()
    return {
        "steps": stage.step,
        "minutes": stage.spent / 60,
        "epochs": stage.step / max(1, batches.per_epoch),
        "watched": look(model, watched),
    }

