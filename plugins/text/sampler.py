"""One request's sampler: logits in, the next token with its record out.

Owns Sampler, which keeps what a request must remember: its generator, what was written, Mirostat's measure, the way
through its grammar. Nothing global is drawn from or changed, so requests may take turns in any order.
"""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .candidates import Candidates
from .chain import Chain, Moment
from .chain_filters import mirostat_next
from .choice import Choice, draw, record
from .grammar import Matcher
from .history import History
from .lexicon import Lexicon
from .params_sampling import SamplingParams
from .ranking import Ranking, Scratch, Survey
from .records import TokenRecord
from .stages import StageName


class Sampler:
    """Called once a token, in order.

    marks: what the settings say about this model's tokens. finished: the last token completed the grammar.
    """

    def __init__(self, settings: SamplingParams, seed: int, lexicon: Lexicon, prompt: Sequence[int]):
        """prompt: the tokens that were read. Raises StudioError for a bias or a grammar that is none."""
        self.settings, self.marks = settings, lexicon.marks(settings)
        self.finished = False
        self._chain = Chain(settings, self.marks)
        self._history = History(settings, self.marks, prompt)
        self._grammar = lexicon.matcher(settings)
        self._mu = 2 * settings.mirostat_tau
        self._generator = torch.Generator().manual_seed(seed)
        self._scratch = Scratch()
        on = self._chain.stages
        self._draws_chance, self._learns = StageName.XTC in on, StageName.MIROSTAT in on

    def __call__(self, logits: Tensor) -> Choice:
        """logits: (V,) float32, left as they are. Raises StudioError when they are no numbers, or nothing is left.

        Every token draws one number, and another where XTC is on, whatever the logits are; at temperature 0 none for
        the choice.
        """
        uniform = 0.0 if self.settings.greedy else self._uniform()
        moment = Moment(self._history, self._uniform() if self._draws_chance else 0.0, self._mu)
        raw = Ranking.of(logits)
        whole = Survey.of(logits, raw.top, self._scratch)
        candidates = self._chain.run(Candidates(logits, raw, self._scratch), moment)
        if self._grammar is not None:
            candidates = self._allowed(self._grammar, candidates, logits, moment)
        return self._take(record(logits, whole, raw, candidates, draw(candidates, uniform)))

    def fork(self, seed: int) -> "Sampler":
        """Another one that goes on from here on its own, with the numbers of another seed."""
        twin = copy.copy(self)
        twin._history = self._history.copy()
        twin._grammar = self._grammar and self._grammar.copy()
        twin._generator = torch.Generator().manual_seed(seed)
        return twin

    def twin(self) -> "Sampler":
        """Another one that will choose as this one is about to, with the same numbers, and changes nothing of it."""
        twin = self.fork(0)
        twin._generator.set_state(self._generator.get_state())
        return twin

    def _uniform(self) -> float:
        """In [0, 1), with 53 bits."""
        return torch.rand((), generator=self._generator, dtype=torch.float64).item()

    def _allowed(self, grammar: Matcher, candidates: Candidates, logits: Tensor, moment: Moment) -> Candidates:
        """The grammar is the chain's last filter: of what is left, the tokens that it allows.

        Where it allows none of them, or the chain left all there are, the chain runs again over what it allows.
        """
        if candidates.rest is None:
            mask = grammar.allows(candidates.ids)
            if mask.any():
                candidates.keep(mask, close=True)
                return candidates
        return self._chain.run(Candidates.of(grammar.masked(logits)), moment)

    def _take(self, made: TokenRecord) -> Choice:
        """Remembers what was chosen."""
        if self._learns:
            settings = self.settings
            surprise = -made.after / math.log(2)
            self._mu = mirostat_next(self._mu, surprise, settings.mirostat_tau, settings.mirostat_eta)
        self._history.push(made.token)
        last = self._grammar is not None and self._grammar.push(made.token)
        self.finished = last
        return Choice(made.token, made, last)
