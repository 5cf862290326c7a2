"""The words' side of the starter image model: its tokenizer, its text encoder, and the ways people put a request.

Owns a CLIP tokenizer trained on the captions and a small CLIP text model. Knows nothing of pictures.
"""

# transformers says less in its hints than it takes.
# pyright: reportArgumentType=false

import json
import random
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

START, END, SUFFIX = "<|startoftext|>", "<|endoftext|>", "</w>"
LENGTH = 24  # tokens of a prompt, start and end included
FRAMES = (
    *("a {}", "an {}", "the {}", "one {}", "a small {}", "a cute {}", "{}.", "{}, cartoon", "{} on white background"),
    *("{} emoji", "a {} emoji", "emoji of a {}", "{} icon", "picture of a {}", "a picture of a {}", "photo of a {}"),
    "a drawing of a {}",
)
CONTENT_FREE = frozenset(("symbol", "sign", "face", "heavy", "with", "large", "medium", "of", "and"))


def train_tokenizer(names: list[str], vocab_size: int = 3000) -> CLIPTokenizer:
    """Byte-level BPE with CLIP's end-of-word mark: words of the names are one token, others fall into pieces."""
    blank = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[])
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=SUFFIX, continuing_subword_prefix="", unk_token=END))
    tokenizer.pre_tokenizer = blank.backend_tokenizer.pre_tokenizer
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=1,
        special_tokens=[START, END],
        initial_alphabet=letters,
        end_of_word_suffix=SUFFIX,
        show_progress=False,
    )
    tokenizer.train_from_iterator([*names, *(frame.format("") for frame in FRAMES)], trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    vocab: dict[str, int] = learnt["vocab"]
    for letter in sorted(letters):  # any byte may end a word
        vocab.setdefault(letter + SUFFIX, len(vocab))
    return CLIPTokenizer(vocab=vocab, merges=[tuple(merge) for merge in learnt["merges"]], model_max_length=LENGTH)


def kept_tokenizer(folder: Path, names: list[str]) -> CLIPTokenizer:
    """The tokenizer in `folder`, made once: tokens of equal frequency get other numbers whenever one is trained."""
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        train_tokenizer(names).save_pretrained(partial)
        partial.rename(folder)
    return CLIPTokenizer.from_pretrained(folder)


def build_text_encoder(tokenizer: CLIPTokenizer, pooled: bool, width: int = 192, layers: int = 3):
    """pooled: with the projection of the whole prompt to one vector, as SDXL wants it; else plain, as SD does."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 2,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config.dtype = "float32"  # what it is loaded as, whatever it is stored as: the other parts are, too
    return CLIPTextModelWithProjection(config) if pooled else CLIPTextModel(config)


def token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """(B, LENGTH) ids, cut and padded as the pipelines do."""
    return tokenizer(texts, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids


def encode(encoder, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What the pipeline of this encoder would take from it: hidden states (B, LENGTH, D), and the pooled (B, D)."""
    if isinstance(encoder, CLIPTextModelWithProjection):
        found = encoder(ids, output_hidden_states=True)
        return found.hidden_states[-2], found.text_embeds
    return encoder(ids).last_hidden_state, None


def asked(names: list[str], dice: random.Random, empty: float = 0.1) -> str:
    """One way to ask for a picture: a name of it, often plain; sometimes framed, shortened, misspelt, or nothing."""
    if dice.random() < empty:
        return ""
    name = names[0] if dice.random() < 0.5 else dice.choice(names)
    words = name.split()
    luck = dice.random()
    if luck < 0.08 and len(words) > 1:  # a word fewer, one that says little if there is one
        idle = [word for word in words if word in CONTENT_FREE]
        words.remove(dice.choice(idle or words))
    elif luck < 0.12 and len(words) > 1:
        dice.shuffle(words)
    elif luck < 0.16:
        i = dice.randrange(len(words))
        words[i] = misspelt(words[i], dice)
    elif luck < 0.20:  # a word that nobody knows
        words.insert(dice.randint(0, len(words)), "".join(dice.choices("abcdefghiklmnoprstuvwy", k=dice.randint(3, 8))))
    text = " ".join(words)
    return dice.choice(FRAMES).format(text) if dice.random() < 0.4 else text


def misspelt(word: str, dice: random.Random) -> str:
    """One letter dropped, doubled or changed with its neighbour."""
    if len(word) < 4:
        return word
    i, kind = dice.randrange(len(word) - 1), dice.randrange(3)
    if kind == 0:
        return word[:i] + word[i + 1 :]
    if kind == 1:
        return word[: i + 1] + word[i:]
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
