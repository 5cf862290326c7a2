"""The records of a whole text as lines of JSON, for the file beside it: one line of what they share, then one a token.

Owns Recorded. Lines can be written and read as they come. Imports no torch.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from studio.errors import StudioError

from .marks import TokenMarks
from .records import TokenRecord

FORMAT, VERSION = "token-records", 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """Of one text. marks: what its settings said about single tokens; prompt: what was read before the first one."""

    marks: TokenMarks
    prompt: tuple[int, ...]
    records: tuple[TokenRecord, ...]

    def lines(self) -> Iterator[str]:
        """Without line ends. Marks are kept of tokens that occur, as themselves or as an alternative."""
        others = (other.token for record in self.records for other in record.alternatives)
        seen = frozenset((*self.prompt, *(record.token for record in self.records), *others))
        head = {"format": FORMAT, "version": VERSION, "prompt": list(self.prompt), "marks": self.marks.to_dict(seen)}
        yield json.dumps(head, separators=(",", ":"))
        for record in self.records:
            yield json.dumps(record.line())

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Recorded":
        """Raises StudioError when these are no such lines; a last one that was cut short is left out."""
        text = [line for line in lines if line.strip()]
        try:
            head = json.loads(text[0])
            if head["format"] != FORMAT or head["version"] > VERSION:
                raise ValueError(f"they are {head['format']} of version {head['version']}")
            marks, prompt = TokenMarks.from_dict(head["marks"]), tuple(map(int, head["prompt"]))
            return cls(marks, prompt, tuple(_records(text[1:])))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise StudioError(
                "The chances of this text's tokens cannot be read",
                f"The lines beside the text are no token records: {error}",
                "The text itself is complete; only what else there was is lost.",
                code="token-records",
            ) from None

    def written_before(self, place: int) -> list[int]:
        """The written tokens before the one at `place`: with the prompt, what the stages look back at."""
        return [record.token for record in self.records[:place]]


def _records(lines: Sequence[str]) -> Iterator[TokenRecord]:
    for number, line in enumerate(lines):
        try:
            yield TokenRecord.of_line(json.loads(line))
        except (ValueError, TypeError):
            if number < len(lines) - 1:
                raise
