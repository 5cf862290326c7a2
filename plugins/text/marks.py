"""What the chain must know about single tokens, as numbers alone. Imports no torch.

Owns TokenMarks. A worker makes them from a tokenizer (`lexicon.py`); written down beside a text they let a window
without one run the chain again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenMarks:
    """vocabulary: how many tokens there are. bias: added to the score of a token, -inf forbids it.

    breakers: tokens that no repeat reaches across (DRY). protected: tokens that XTC never leaves out: those that end
    the text, and line breaks.
    """

    vocabulary: int
    bias: Mapping[int, float] = field(default_factory=dict)
    breakers: frozenset[int] = frozenset()
    protected: frozenset[int] = frozenset()

    def to_dict(self, seen: frozenset[int] | None = None) -> dict[str, Any]:
        """For JSON. seen: the only tokens whose marks are wanted, of thousands that a vocabulary may have."""
        breakers, protected = self.breakers, self.protected
        if seen is not None:
            breakers, protected = breakers & seen, protected & seen
        return {
            "vocabulary": self.vocabulary,
            "bias": [[token, value if value > float("-inf") else None] for token, value in self.bias.items()],
            "breakers": sorted(breakers),
            "protected": sorted(protected),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TokenMarks":
        return cls(
            vocabulary=int(values["vocabulary"]),
            bias={int(token): float("-inf") if value is None else float(value) for token, value in values["bias"]},
            breakers=frozenset(map(int, values["breakers"])),
            protected=frozenset(map(int, values["protected"])),
        )
