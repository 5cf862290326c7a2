"""The `parameters` text in pictures, as A1111 and its kin write and read it. Imports no torch.

    a fox, <lora:ink:0.8>
    Negative prompt: blurry
    Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: …

The words are A1111's; what they cannot say is added as `Studio <field>: <JSON>`, so that `read` gives back every
value that `write` was given. Where the prompt itself looks like parameters, it is written once more, quoted, under
`Prompt`: a later key overrides the lines above it here and in A1111 alike.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from . import infotext_fields as fields

LONGEST = 1_000_000
MOST_KEYS = 500
OURS = "Studio "
_NEGATIVE = "Negative prompt:"
_KEY = re.compile(r"[^\W\d_][\w \-/.]*")
_LORA = re.compile(r"<(?:lora|lyco):([^:<>\n]{1,300})((?::[^:<>\n]{0,40}){0,4})>", re.IGNORECASE)
_OF_THE_BATCH = frozenset({"prompt", "negative", "width", "height", "count", "at_once", "expand", "expanded",
                           "steering", "model"})  # fmt: skip
"""Not compared: written by other means, or about the pictures painted beside this one."""


@dataclass(frozen=True)
class Infotext:
    """The text taken apart. settings: key -> value, unquoted, in the text's order."""

    prompt: str
    negative: str = ""
    settings: dict[str, str] = field(default_factory=dict)


def write(params: Mapping[str, Any], facts: Mapping[str, Any], width: int, height: int, model: str) -> str:
    """The text of one finished picture of `width` x `height` px.

    facts: what is known of this picture alone: `seed`, `prompt` (expanded), `negative`, `variation_seed`,
    `guidance`, `sampler`, `schedule`, `operation`, `model_hash`, `lora_hashes` and `inversion_hashes`
    (name -> hash). What facts do not say is taken from params.
    """
    own = ("prompt", "negative", "seed", "variation_seed", "guidance", "sampler", "schedule")
    values = {**params, **{name: facts[name] for name in own if facts.get(name) is not None}}
    if not values.get("variation"):
        values["variation_seed"] = None  # says nothing without a strength
    operation = str(facts.get("operation") or fields.operation_of(params))
    settings = fields.settings(values, facts, operation, width, height, model)
    prompt, negative = str(values.get("prompt") or ""), str(values.get("negative") or "")
    tagged = " ".join([prompt, *(_tag(lora) for lora in values.get("loras") or ())]).removeprefix(" ")
    if parse(compose(tagged, negative, settings)) != Infotext(tagged, negative, settings):
        settings |= {"Prompt": tagged, "Negative prompt": negative}
    settings |= _unsaid(values, params, operation, compose(tagged, negative, settings))
    return compose(tagged, negative, settings)


def read(text: str) -> dict[str, Any]:
    """The values that the text says, under our fields' names; names of models as they stand there.

    "operation" is the operation that they belong to.
    """
    return fields.values(parse(text))[0]


def parse(text: str) -> Infotext:
    """Takes the text apart as A1111 does. Never fails: what is no parameter is prompt."""
    lines = text[:LONGEST].replace("\r\n", "\n").strip().split("\n")
    settings = _settings(lines[-1]) if lines else {}
    if len(settings) >= 3 or (settings and lines[-1].startswith("Steps: ")):
        lines.pop()
    else:
        settings = {}
    prompt: list[str] = []
    negative: list[str] | None = None
    for line in lines:
        if negative is None and line.strip().startswith(_NEGATIVE):
            negative = [line.strip().removeprefix(_NEGATIVE).strip()]
        elif negative is not None:
            negative.append(line)
        else:
            prompt.append(line)
    said = {"prompt": "\n".join(prompt).strip(), "negative": "\n".join(negative or ()).strip()}
    for key, name in (("Prompt", "prompt"), ("Negative prompt", "negative")):
        if key in settings:
            said[name] = settings.pop(key)
    return Infotext(said["prompt"], said["negative"], settings)


def compose(prompt: str, negative: str, settings: Mapping[str, str]) -> str:
    lines = [prompt] + ([f"{_NEGATIVE} {negative}"] if negative else [])
    return "\n".join([*lines, ", ".join(f"{key}: {quoted(value)}" for key, value in settings.items())])


def quoted(value: str) -> str:
    """A value as it may stand between commas."""
    plain = value and value == value.strip() and not any(sign in value for sign in ',\n\r":{')
    return value if plain else json.dumps(value, ensure_ascii=False)


def lora_tags(prompt: str) -> tuple[str, list[tuple[str, float]]]:
    """The prompt without its `<lora:name:weight>` tags, and the tags."""
    found: list[tuple[str, float]] = []

    def take(match: re.Match[str]) -> str:
        weights = [part.rpartition("=")[2].strip() for part in match[2].split(":")[1:]]
        try:
            weight = float(weights[0]) if weights and weights[0] else 1.0
        except ValueError:
            weight = 1.0
        found.append((match[1].strip(), weight if -100 < weight < 100 else 1.0))
        return ""

    bare = _LORA.sub(take, prompt)
    return (re.sub(r"[ \t]+(?=\n|$)", "", re.sub(r"(?<=\S)  +", " ", bare)).strip() if found else prompt), found


def stem(reference: str) -> str:
    """The name of a model as it stands in a prompt: without folders, ending and what would end the tag."""
    name = PurePosixPath(reference.replace("\\", "/").rpartition(":")[2]).name
    return re.sub(r"[:<>\n]", "_", re.sub(r"\.(safetensors|ckpt|pt|bin|gguf)$", "", name))


def _tag(lora: Mapping[str, Any]) -> str:
    return f"<lora:{stem(str(lora.get('model', '')))}:{float(lora.get('weight', 1.0)):g}>"


def _unsaid(values: Mapping[str, Any], params: Mapping[str, Any], operation: str, text: str) -> dict[str, str]:
    """What A1111's words did not carry over, under keys of our own."""
    got, defaults = read(text), fields.defaults(operation)
    found = {} if got.get("operation") == operation else {f"{OURS}operation": operation}
    for name, default in defaults.items():
        value = values.get(name, default)
        if name not in _OF_THE_BATCH and value != got.get(name, default):
            found[OURS + name] = json.dumps(value, ensure_ascii=False)
    if values.get("prompt") != params.get("prompt") and params.get("prompt"):
        found["Template"] = str(params["prompt"])
    if str(values.get("prompt") or "") != got.get("prompt", ""):
        found[f"{OURS}prompt"] = json.dumps(str(values.get("prompt") or ""), ensure_ascii=False)
    if str(params.get("model") or "") not in ("", got.get("model", "")):
        found[f"{OURS}model"] = json.dumps(str(params["model"]))
    return found


def _settings(line: str) -> dict[str, str]:
    """`Key: value, Key: "quoted, value"` in one pass; parts without a key are passed over."""
    found: dict[str, str] = {}
    at = 0
    while at < len(line) and len(found) < MOST_KEYS:
        colon, comma = line.find(":", at), line.find(",", at)
        if colon < 0:
            break
        key = line[at:colon].strip() if comma < 0 or colon < comma else ""
        if not _KEY.fullmatch(key) or len(key) > 100:
            at = (comma if comma >= 0 else len(line)) + 1
            continue
        value, at = _value(line, colon + 1)
        found[key] = value
    return found


def _value(line: str, start: int) -> tuple[str, int]:
    """The value from `start` on, and where the next key begins."""
    while line[start : start + 1] == " ":
        start += 1
    if line[start : start + 1] in ('"', "{"):
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(line, start)
        except (ValueError, RecursionError):
            pass
        else:
            after = line[end : end + 40].lstrip()
            if not after or after[0] == ",":
                comma = line.find(",", end)
                return value if isinstance(value, str) else line[start:end], comma + 1 if comma >= 0 else len(line)
    comma = line.find(",", start)
    end = comma if comma >= 0 else len(line)
    return line[start:end].strip(), end + 1
