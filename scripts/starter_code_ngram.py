"""A 5-gram model of tokens, the yardstick for the starter code model.

Owns counting and guessing. "Stupid backoff" as Brants et al. (2007) define it: the relative frequency after the
longest context that was seen with a token, times 0.4 for each token that the context is shorter.
"""

import numpy as np

ORDER, BACKOFF = 5, 0.4


class FiveGram:
    """Counts of 1 to 5 tokens; an n-gram is one number in base `size`, so a context's followers lie side by side."""

    def __init__(self, ids: list[int], size: int):
        if size**ORDER >= 2**63:
            raise ValueError(f"{size} tokens are too many for {ORDER}-grams of 63 bits")
        self._size = size
        read = np.asarray(ids, dtype=np.int64)
        self._grams: list[tuple[np.ndarray, np.ndarray]] = []
        for length in range(1, ORDER + 1):
            codes = np.zeros(len(read) - length + 1, dtype=np.int64)
            for at in range(length):
                codes = codes * size + read[at : len(read) - length + 1 + at]
            self._grams.append(np.unique(codes, return_counts=True))

    def followers(self, context: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens seen after the context (at most 4), and how often each."""
        code = 0
        for token in context:
            code = code * self._size + token
        codes, counts = self._grams[len(context)]
        first, last = np.searchsorted(codes, [code * self._size, (code + 1) * self._size])
        return codes[first:last] - code * self._size, counts[first:last]

    def best(self, before: list[int]) -> int:
        """The likeliest token after `before`."""
        known: set[int] = set()
        best, score, weight = 0, -1.0, 1.0
        for length in range(min(ORDER - 1, len(before)), -1, -1):
            tokens, counts = self.followers(before[len(before) - length :])
            total = counts.sum()
            for at in np.argsort(-counts, kind="stable"):
                share = weight * counts[at] / total
                if share <= score:
                    break
                if int(tokens[at]) not in known:
                    best, score = int(tokens[at]), share
                    break
            known.update(tokens.tolist())
            weight *= BACKOFF
            if score >= weight:  # no shorter context can score more
                break
        return best
