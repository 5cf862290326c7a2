"""What the batches of one pass of a painting share: files, previews, and how far the pass is.

Owns Easel.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from studio.sdk.operation import Round

from .layout import Layout
from .plans import Finished, Plan, Wanted
from .previews import Previewer
from .steps import Start, StepFiles


class Easel:
    """One pass of a job. gone: numbers of pictures that are finished or were dropped. frames: their last previews.

    round, rounds: which batch is painted, and how many there are as far as is known. each: steps of a picture, known
    from the first on. worked: steps of pictures that were painted, of all batches.
    """

    def __init__(
        self, loaded: Any, ctx: Any, plan: Plan, finished: Callable[[Finished], None], start: Start | None, tiny: Any
    ):
        self.loaded, self.ctx, self.plan, self._finished, self.start = loaded, ctx, plan, finished, start
        self.layout = Layout.of(loaded, plan.width, plan.height)
        self.previewer = Previewer(loaded, self.layout, tiny=tiny, framed=plan.framed)
        self.files = StepFiles(ctx.steps if plan.keep_steps else None)
        self.gone: set[int] = set()
        self.frames: dict[int, bytes] = {}
        self.round = self.rounds = self.worked = 0
        self._pixels = plan.width * plan.height
        self.each = plan.steps

    def step(self, done: int, alive: list[Wanted], fresh: dict[int, bytes]) -> None:
        """done: steps of the batch of pictures that are `alive`. fresh: previews that were made at this step."""
        place = self.plan.place
        self.worked += len(alive)
        here = {wanted.number for wanted in alive}
        waiting = sum(wanted.number not in self.gone and wanted.number not in here for wanted in self.plan.items)
        ahead = (self.each - done) * len(alive) + self.each * waiting
        name = place.name or ("picture" if self.rounds == len(self.plan.items) else "round")
        self.ctx.step(
            done,
            self.each,
            preview=self._previews(fresh),
            round=Round(place.before + self.round, place.before + self.rounds + place.after, name),
            work=(place.behind + self.worked * self._pixels, ahead * self._pixels + place.ahead),
        )

    def _previews(self, fresh: dict[int, bytes]) -> list[bytes] | None:
        if not fresh or self.plan.shown == "none":
            return None
        if self.plan.shown == "newest":
            return [fresh[max(fresh)]]
        most = max(wanted.number for wanted in self.plan.items)
        return [self.frames.get(number, b"") for number in range(most + 1)]

    def finish(self, wanted: Wanted, image: Any, latents: Tensor, facts: dict[str, Any]) -> None:
        self._finished(Finished(wanted.number, image, facts, latents))
