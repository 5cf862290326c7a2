"""Fill-in-the-middle: which format a tokenizer knows, and the ids of a prompt in it.

Owns Format, FORMATS and Fim. A format is found by looking its tokens up in the vocabulary, never by a model's name.
Text is encoded apart from the control ids, which are put between the pieces as ids: what stands in a person's file
never becomes one. Formats as their makers publish them (Bavarian et al. 2022 for the idea; the cards of Qwen2.5-Coder,
CodeGemma, StarCoder2, Code Llama, DeepSeek-Coder and Codestral). Imports no torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Encode = Callable[[str], list[int]]
Order = tuple[str, ...]
PSM: Order = ("prefix", "before", "suffix", "after", "middle")
SPM: Order = ("suffix", "after", "prefix", "before")


@dataclass(frozen=True, slots=True)
class Format:
    """Control tokens by their role; middle is "" where the answer simply follows.

    file: the token between files, repo: the one before a repository's name; without a token between files other
    files are left out, for they would stand in the middle of this one. ends: tokens that end an answer.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    order: Order = PSM
    file: str = ""
    repo: str = ""
    ends: tuple[str, ...] = ()


FORMATS = (
    Format(
        "qwen", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
        file="<|file_sep|>", repo="<|repo_name|>", ends=("<|fim_pad|>", "<|endoftext|>", "<|im_end|>"),
    ),
    Format("codegemma", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", file="<|file_separator|>"),
    Format("fim", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", ends=("<|fim_pad|>",)),
    Format("starcoder", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", file="<file_sep>", ends=("<fim_pad>",)),
    Format("santacoder", "<fim-prefix>", "<fim-suffix>", "<fim-middle>", ends=("<fim-pad>",)),
    Format("deepseek", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    Format("codellama", "▁<PRE>", "▁<SUF>", "▁<MID>", ends=("▁<EOT>",)),
    Format("codestral", "[PREFIX]", "[SUFFIX]", "", order=SPM),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fim:
    """A format on a tokenizer.

    ids: of its control tokens, by role. ends: those that end an answer. beginning: what the tokenizer puts before
    every text. encode: text to ids among which no control token can be.
    """

    format: Format
    ids: dict[str, int]
    ends: frozenset[int]
    beginning: tuple[int, ...]
    encode: Encode

    def splice(self, before: str, after: str, files: Sequence[tuple[str, str]] = (), path: str = "") -> list[int]:
        """The prompt's ids. files: (path, text) of others, those that change least first, so that they stay cached."""
        found = [*self.beginning, *self._others(files, path)]
        for part in self.format.order:
            if part in ("before", "after"):
                found += self.encode(before if part == "before" else after)
            elif part in self.ids:
                found.append(self.ids[part])
        return found

    def _others(self, files: Sequence[tuple[str, str]], path: str) -> list[int]:
        if not files or "file" not in self.ids:
            return []
        found = [self.ids["repo"], *self.encode("project\n")] if "repo" in self.ids else []
        for name, text in files:
            found += [self.ids["file"], *self.encode(f"{name}\n{text}\n")]
        return [*found, self.ids["file"], *(self.encode(f"{path}\n") if path else [])]


def find(tokenizer: Any, encode: Encode, beginning: Sequence[int] = ()) -> Fim | None:
    """The first format whose tokens the vocabulary holds, each as one; None where there is none."""
    vocabulary = tokenizer.get_vocab()
    for form in FORMATS:
        roles = {"prefix": form.prefix, "suffix": form.suffix, "middle": form.middle}
        if form.file and form.prefix == "<|fim_prefix|>":
            roles["file"] = form.file  # what tells the families that share these tokens apart
        if not all(token in vocabulary for token in roles.values() if token):
            continue
        roles |= {"file": form.file, "repo": form.repo}
        ids = {role: int(vocabulary[token]) for role, token in roles.items() if token in vocabulary}
        # A control token in an answer means that the model has left the hole, so every one of them ends it.
        ends = {*ids.values(), *(int(vocabulary[token]) for token in form.ends if token in vocabulary)}
        return Fim(form, ids, frozenset(ends), tuple(beginning), encode)
    return None
