"""What is remembered of each written token: its chances before and after the chain, and what else there was.

Owns TokenRecord and its packed form, of at most 120 bytes, which goes into a file beside the text. Imports no torch.
"""

import base64
import math
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

HEAD = struct.Struct("<HBHBffeHB")
ENTRY = struct.Struct("<HBee")
MOST = 14
"""Alternatives in a packed record: 19 bytes and 7 for each are 117."""

SURVIVORS = 65535
"""So many tokens or more were left by the chain."""


class Alternative(NamedTuple):
    """A token that could have been. before, after: logarithms of its probability; after is -inf where it was cut."""

    token: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One chosen token.

    rank: 1 when it was the model's favourite. before: the logarithm of its probability as the model said it (after
    guidance, if any); after: once the chain had its way, that is of drawing it. entropy: of the model's whole
    distribution, in nats. survivors: how many tokens the chain left. alternatives: the likeliest ones before and
    after together, the chosen one among them, as the chain ranks them and then as the model does.
    """

    token: int
    rank: int
    before: float
    after: float
    entropy: float
    survivors: int
    alternatives: tuple[Alternative, ...] = field(default=())

    def likeliest_before(self) -> list[Alternative]:
        return sorted(self.alternatives, key=lambda other: -other.before)

    def likeliest_after(self) -> list[Alternative]:
        left = (other for other in self.alternatives if other.after > -math.inf)
        return sorted(left, key=lambda other: -other.after)

    def pack(self) -> bytes:
        """At most 120 bytes. Probabilities of alternatives and the entropy keep three digits."""
        kept = self.alternatives[:MOST]
        head = HEAD.pack(
            *_three(self.token),
            *_three(self.rank),
            self.before,
            self.after,
            self.entropy,
            min(self.survivors, SURVIVORS),
            len(kept),
        )
        return head + b"".join(
            ENTRY.pack(*_three(other.token), _half(other.before), _half(other.after)) for other in kept
        )

    @classmethod
    def unpack(cls, packed: bytes) -> "TokenRecord":
        """Raises ValueError when it is none."""
        try:
            low, high, rank, over, before, after, entropy, survivors, count = HEAD.unpack_from(packed)
            if len(packed) != HEAD.size + count * ENTRY.size:
                raise ValueError(f"{len(packed)} bytes are no record of {count} alternatives")
            entries = ENTRY.iter_unpack(packed[HEAD.size :])
        except struct.error as error:
            raise ValueError(f"no record of a token: {error}") from None
        return cls(
            token=low | high << 16,
            rank=rank | over << 16,
            before=before,
            after=after,
            entropy=entropy,
            survivors=survivors,
            alternatives=tuple(Alternative(a | b << 16, one, two) for a, b, one, two in entries),
        )

    def line(self) -> str:
        """The packed form as text, at most 160 characters."""
        return base64.b64encode(self.pack()).decode("ascii")

    @classmethod
    def of_line(cls, line: str) -> "TokenRecord":
        """Raises ValueError when it is none."""
        return cls.unpack(base64.b64decode(line, validate=True))


def _three(number: int) -> tuple[int, int]:
    """A number below 2 ** 24 as its lower two bytes and the third."""
    return number & 0xFFFF, number >> 16


def _half(value: float) -> float:
    """What a float16 can hold."""
    return max(value, -65504.0) if value > -math.inf else value
