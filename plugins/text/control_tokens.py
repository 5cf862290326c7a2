"""Keeps what people write from becoming a control token: `<|im_end|>` in a message is nine ordinary characters.

A tokenizer finds its added tokens anywhere in a text, also in user messages, documents and code. Owns Controls, which
knows the added tokens of one tokenizer, marks them in what people wrote before a template is rendered, and encodes
the rendered text so that only what the template itself wrote becomes control ids. The marks are those of
transformers' `sanitize_control_tokens`; what that misses (tokens that only appear after the tokenizer's normaliser,
tokens that a unigram vocabulary yields from plain text, tokens that two messages form together) is handled here.
Imports no torch.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from studio.errors import StudioError

START, END = "\U000f0000", "\U000f0001"
"""transformers' marks around a control token that is to stay text. Alone, START only separates."""

# What a reasoning model writes as visible text and its template names: <think>, </tool_call>.
TAG = re.compile(r"</?[a-z_]+>")


class Controls:
    """The added tokens of one transformers tokenizer, special or not, but for those that are only space."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        added = {t.content: (i, t) for i, t in tokenizer.added_tokens_decoder.items() if t.content.strip()}
        self.ids = {content: id for content, (id, _) in added.items()}
        self.special = frozenset(id for id, token in added.values() if token.special)
        self._counted = frozenset(self.ids.values()) - {tokenizer.unk_token_id}
        self._normaliser = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
        # As they are behind the normaliser, where some are looked for and some vocabularies yield the others.
        self._later = {self._normal(content): id for content, id in self.ids.items()}
        self._plain, self._hidden = _matcher(self.ids), _matcher(self._later)
        self._others: dict[frozenset[str], re.Pattern[str]] = {}
        self._marks = re.compile(f"{START}({self._plain.pattern}){END}|[{START}{END}]")
        self._halves = {content[:n] for content in self.ids for n in range(1, len(content))}
        self._rests = {content[n:] for content in self.ids for n in range(1, len(content))}
        self._longest = max(map(len, self.ids), default=0)

    def own_tags(self, template: str) -> frozenset[str]:
        """Tokens that an assistant's message may hold: not special, shaped like a tag, named by the template."""
        return frozenset(
            content
            for content, id in self.ids.items()
            if id not in self.special and TAG.fullmatch(content) and content in template
        )

    def first(self, rendered: str) -> list[int]:
        """The id of the first control token in a text that a template wrote; empty when there is none."""
        found = self._plain.search(rendered)
        return [self.ids[found[0]]] if found else []

    def mark(self, text: str, allowed: frozenset[str] = frozenset()) -> str:
        """The text with every control token in it marked as text, but for the allowed ones.

        Private characters that look like marks are dropped, so that nobody can forge one.
        """
        text = text.replace(START, "").replace(END, "")
        if self._hidden_in(text):
            # It becomes one only when the tokenizer normalises it; the model never sees more than that.
            text = self._hidden.sub(lambda found: _broken(found[0]), self._normal(text))
        text = self._without(allowed).sub(f"{START}\\g<0>{END}", text)
        # Half of a control token at the border is kept from the half that a neighbour may bring.
        head, tail = text.lstrip()[: self._longest], text.rstrip()[-self._longest :]
        before = any(head[:n] in self._rests for n in range(1, len(head) + 1))
        after = any(tail[-n:] in self._halves for n in range(1, len(tail) + 1))
        return (START if before else "") + text + (START if after else "")

    def encode(self, rendered: str) -> list[int]:
        """The ids of a rendered text with marks; only what stands in it unmarked becomes a control token.

        Raises StudioError when more control ids come out than that accounts for.
        """
        try:
            ids = self._ids(rendered)
        except ValueError:
            # The vocabulary yields a control token from its plain text: character by character it does not.
            ids = self._ids(self._marks.sub(lambda found: _broken(found[1] or ""), rendered))
        self._check(rendered, ids)
        return ids

    def _ids(self, rendered: str) -> list[int]:
        return list(self._tokenizer(rendered, add_special_tokens=False, sanitize_control_tokens=True)["input_ids"])

    def _check(self, rendered: str, ids: list[int]) -> None:
        pieces = self._marks.sub("\n", rendered)
        expected = Counter(self.ids[found] for found in self._plain.findall(pieces))
        expected |= Counter(self._later[found] for found in self._later_in(pieces))
        extra = Counter(id for id in ids if id in self._counted) - expected
        if extra:
            token = self._tokenizer.convert_ids_to_tokens(next(iter(extra)))
            raise StudioError(
                "A message holds what this model's tokenizer takes for a control token",
                f"Something in it becomes {token!r}, which would let the message pose as something else.",
                "Remove it from the message, or choose another model.",
                code="control-token",
            )

    def _hidden_in(self, text: str) -> bool:
        """Whether the normaliser brings out control tokens that cannot be seen in the text as it is."""
        return bool(Counter(self._later_in(text)) - Counter(self._normal(t) for t in self._plain.findall(text)))

    def _later_in(self, text: str) -> list[str]:
        return self._hidden.findall(self._normal(text)) if self._normaliser is not None else []

    def _without(self, allowed: frozenset[str]) -> re.Pattern[str]:
        if not allowed:
            return self._plain
        if allowed not in self._others:
            self._others[allowed] = _matcher(self.ids.keys() - allowed)
        return self._others[allowed]

    def _normal(self, text: str) -> str:
        return self._normaliser.normalize_str(text) if self._normaliser is not None else text


def unmarked(text: str) -> str:
    """What the marks were put into."""
    return text.replace(START, "").replace(END, "")


def _broken(token: str) -> str:
    """Marked between all its characters: no two of them are encoded together."""
    return START + START.join(token) + START


def _matcher(tokens: Iterable[str]) -> re.Pattern[str]:
    """Any of the tokens, the longest where several begin alike. Matches nothing for no tokens.

    Written as a tree of their beginnings: a vocabulary may have a thousand that all begin with the same letters.
    """
    tree: dict[str, Any] = {}
    for token in tokens:
        branch = tree
        for character in token:
            branch = branch.setdefault(character, {})
        branch[""] = {}
    return re.compile(_written(tree) if tree else "(?!)")


def _written(tree: dict[str, Any]) -> str:
    """The tree as a regular expression; what need not go on may, and rather does."""
    found = []
    for character, branch in tree.items():
        stem = character
        while len(branch) == 1 and "" not in branch:
            [(character, branch)] = branch.items()
            stem += character
        if stem:
            found.append(re.escape(stem) + (_written(branch) if branch.keys() - {""} else ""))
    optional = "?" if "" in tree else ""
    return f"(?:{'|'.join(found)}){optional}"
