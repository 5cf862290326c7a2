"""Trains the starter text model `tales-5m` from a folder of plain-text books and writes its card.

Owns the recipe: cleaning, tokenizer, training, card. Needs only torch, transformers, tokenizers and
safetensors; imports nothing of the application.

    python -m scripts.build_starter_text --data FOLDER --out assets/models/tales-5m

The folder holds UTF-8 books, paragraphs parted by one blank line. One whole book is held out and is
never seen in training or model selection; the best checkpoint is chosen on a 2 % slice of the others.
Interrupted runs continue from their newest checkpoint when started again with the same --work.
"""

import argparse
import json
import math
import os
import re
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from scripts.starter_text_stage import build_llama, mean_loss, publish

HELD_OUT = "Five-Children-and-It"
BOS, EOS, PAD = "<|story|>", "<|end|>", "<|pad|>"


def clean(text: str) -> str:
    """Drops front matter, contents lists, headings and pictures' captions; joins the paragraphs."""
    kept = []
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        line = re.sub(r"\s+", " ", paragraph.replace("|", "")).strip()
        letters = [c for c in line if c.isalpha()]
        if not letters or line.startswith("[") or "Gutenberg" in line:
            continue
        if sum(c.isupper() for c in letters) > 0.6 * len(letters):
            continue
        ends_like_prose = line[-1] in ".!?\"',;:-)" or len(line) > 120
        if not ends_like_prose or re.match(r"^(chapter\b|[ivxlc]+\.|\d+[.\s])", line, re.I):
            continue
        kept.append(line)
    return "\n\n".join(kept)


def read_books(folder: Path) -> tuple[dict[str, str], str]:
    """Cleaned training books by name, and the held-out one."""
    books = {p.stem: clean(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.txt"))}
    if HELD_OUT not in books:
        raise SystemExit(f"{folder} has no {HELD_OUT}.txt, which is the held-out book")
    return books, books.pop(HELD_OUT)


def train_tokenizer(texts: list[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: every byte string has a token sequence and comes back unchanged."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD)


class Windows(Dataset):
    """Windows of `length` tokens; training ones start at a random offset, so epochs differ."""

    def __init__(self, ids: torch.Tensor, length: int, jitter: bool):
        self.ids, self.length, self.jitter = ids, length, jitter

    def __len__(self) -> int:
        return max(1, (len(self.ids) - self.length) // self.length)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        start = i * self.length
        if self.jitter:
            start += int(torch.randint(0, self.length, ()))
        start = min(start, len(self.ids) - self.length)
        window = self.ids[start : start + self.length]
        return {"input_ids": window, "labels": window.clone()}


def story_ids(tokenizer: PreTrainedTokenizerFast, text: str, chars: int = 24_000) -> torch.Tensor:
    """Token ids of a book cut at paragraphs into stories of about `chars`, each begun with BOS."""
    ids: list[int] = []
    block: list[str] = []
    for paragraph in text.split("\n\n"):
        block.append(paragraph)
        if sum(map(len, block)) > chars:
            ids += tokenizer("\n\n".join(block))["input_ids"] + [tokenizer.eos_token_id]
            block = []
    if block:
        ids += tokenizer("\n\n".join(block))["input_ids"] + [tokenizer.eos_token_id]
    return torch.tensor(ids)


# ruff: noqa: E501 - the table rows of the card
CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-generation
library_name: transformers
tags: [llama, starter, tales]
---
# tales-5m

A small starter model of this project: a Llama of {params:,} parameters that continues English
children's stories. It writes sentences that read like old fairy tales and it does not know anything.

| | |
|---|---|
| data | {books} public-domain English children's books (boilerplate removed), {train_chars:,} characters after cleaning; one more book, *{held_out}*, was held out whole |
| tokenizer | byte-level BPE, {vocab:,} tokens, trained on the same books |
| context | {context} tokens |
| training | {steps:,} steps of {batch_tokens:,} tokens ({epochs:g} epochs), AdamW, cosine schedule, seed {seed}; {minutes:.0f} minutes on {device} |
| held-out loss | {loss:.3f} nats per token, perplexity {ppl:.1f}, {bpc:.3f} bits per character (book *{held_out}*, {tokens:,} tokens) |
| validation loss | {val:.3f} nats per token (2 % slice of the training books; the best checkpoint was chosen on it) |
| weights | float16 safetensors, SHA-256 `{sha}` |
| licence | Apache-2.0; the books are in the public domain |

Made by: `{command}`

## Limits
It has read little and forgets after {context} tokens. Names and habits of its books return, and so do
the views of their time on people and nations. Do not use it for facts or advice.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/starter-text"))
    parser.add_argument("--epochs", type=float, default=6)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--vocab", type=int, default=4096)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    set_seed(options.seed)
    cuda = torch.cuda.is_available()

    books, held_out = read_books(options.data)
    tokenizer = train_tokenizer(list(books.values()), options.vocab)
    train, validation = [], []
    for text in books.values():
        ids = story_ids(tokenizer, text)
        cut = int(len(ids) * 0.98)
        train.append(ids[:cut])
        validation.append(ids[cut:])
    train_ids, validation_ids = torch.cat(train), torch.cat(validation)
    held_out_ids = story_ids(tokenizer, held_out)
    model = build_llama(tokenizer, options.context, dropout=options.dropout)
    print(f"{model.num_parameters():,} parameters, {len(train_ids):,} training tokens", flush=True)

    evaluations = max(1, len(train_ids) // (options.context * options.batch) // 2)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(options.work),
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch,
            per_device_eval_batch_size=options.batch,
            learning_rate=options.rate,
            lr_scheduler_type="cosine",
            warmup_steps=100,
            weight_decay=0.1,
            adam_beta2=0.95,
            max_grad_norm=1.0,
            bf16=cuda,
            eval_strategy="steps",
            eval_steps=evaluations,
            save_strategy="steps",
            save_steps=evaluations,
            save_total_limit=2,
            load_best_model_at_end=True,
            metric_for_best_model="eval_loss",
            logging_steps=25,
            report_to=[],
            seed=options.seed,
            disable_tqdm=True,
            dataloader_num_workers=8 if cuda else 0,
        ),
        train_dataset=Windows(train_ids, options.context, jitter=True),
        eval_dataset=Windows(validation_ids, options.context, jitter=False),
    )
    began = time.monotonic()
    last = get_last_checkpoint(str(options.work)) if options.work.exists() else None
    trainer.train(resume_from_checkpoint=last)
    minutes = (time.monotonic() - began) / 60

    model.eval()
    loss, tokens = mean_loss(model, held_out_ids, options.context)
    validation_loss, _ = mean_loss(model, validation_ids, options.context)
    chars = len(held_out)
    facts = {
        "params": model.num_parameters(),
        "books": len(books),
        "train_chars": sum(map(len, books.values())),
        "held_out": HELD_OUT.replace("-", " "),
        "vocab": len(tokenizer),
        "context": options.context,
        "steps": trainer.state.global_step,
        "batch_tokens": options.batch * options.context,
        "epochs": options.epochs,
        "seed": options.seed,
        "minutes": minutes,
        "device": torch.cuda.get_device_name() if cuda else "two CPU cores",
        "loss": loss,
        "ppl": math.exp(loss),
        "bpc": loss * len(held_out_ids) / chars / math.log(2),
        "tokens": tokens,
        "val": validation_loss,
        "command": f"python -m scripts.build_starter_text --data FOLDER --out assets/models/{options.out.name}"
        f" --epochs {options.epochs:g} --batch {options.batch} --context {options.context}"
        f" --rate {options.rate:g} --dropout {options.dropout:g} --seed {options.seed}",
    }
    facts = publish(options.out, model, tokenizer, CARD, facts)
    print(json.dumps(facts), flush=True)

    prompt = tokenizer("Once upon a time there was a", return_tensors="pt").to(model.device)
    prompt.pop("token_type_ids", None)
    writer: Any = model.float()
    for _ in range(3):
        out = writer.generate(**prompt, max_new_tokens=120, do_sample=True, temperature=0.8, top_k=0, top_p=0.95)
        print("---", tokenizer.decode(out[0], skip_special_tokens=True), flush=True)


if __name__ == "__main__":
    main()
