"""Pictures of other programs: the texts inside them become values of our form, with a word on what could not be taken.

Reads what A1111, Forge, SD.Next, ComfyUI, InvokeAI, Fooocus, SwarmUI, NovelAI and Draw Things write. The texts are
from strangers: every one is bounded, every value is checked against the operation's fields, and what does not fit
is left out in words. Imports no torch.
"""

import contextlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from studio.errors import StudioError

from . import foreign_comfy as comfy
from . import foreign_others as others
from . import infotext, infotext_fields
from .foreign_models import Catalogue, resolve

LONGEST = 8_000_000
MOST_SENTENCES = 40


@dataclass(frozen=True)
class Foreign:
    """What a picture says of its making. params: only the fields that it speaks of, valid for `operation`.

    left: sentences about what was not taken. models: the names that the file gave, whether installed or not.
    """

    program: str
    operation: str
    params: dict[str, Any]
    left: tuple[str, ...] = ()
    models: dict[str, str] = field(default_factory=dict)


def read(texts: Mapping[str, str], models: Sequence[Mapping[str, Any]] | None = None) -> Foreign:
    """What the texts of a picture (`picture.read`) say, as far as this plugin can say it.

    models: entries of the catalogue; names of models become their ids. None leaves the names as they are.
    Raises StudioError "no-recipe" when no text tells how the picture was made.
    """
    texts = {str(key): value for key, value in texts.items() if isinstance(value, str) and value.strip()}
    if long := next((key for key, value in texts.items() if len(value) > LONGEST), None):
        texts.pop(long)
    program, values, left = _told(texts)
    operation = str(values.pop("operation", "image.generate"))
    named = {"model": values["model"]} if isinstance(values.get("model"), str) else {}
    values, missing = resolve(values, Catalogue(models) if models is not None else None)
    values, refused = _checked(operation, values)
    sentences = [_short(sentence) for sentence in [*left, *missing, *refused, *_needed(operation, values)]]
    if len(sentences) > MOST_SENTENCES:
        sentences[MOST_SENTENCES:] = [f"And {len(sentences) - MOST_SENTENCES} more settings."]
    return Foreign(program, operation, values, tuple(dict.fromkeys(sentences)), named)


def _told(texts: dict[str, str]) -> tuple[str, dict[str, Any], list[str]]:
    """The program, the values and the sentences of the first text that tells anything."""
    for program, values, left in _tellings(texts):
        if values:
            return program, values, left
    known = ", ".join(sorted(texts)[:8])
    raise StudioError(
        "This picture does not say how it was made",
        f"Its texts ({known}) are of no program that is known here." if known else "There is no text in it.",
        "It can still be used as a picture.",
        code="no-recipe",
    )


def _tellings(texts: dict[str, str]):
    """Each way to read the texts, the surest first; a text that turns out to be something else gives no values."""
    comments = [
        texts[key] for key in ("UserComment", "Comment", "comment", "Description", "ImageDescription") if key in texts
    ]
    if "invokeai_metadata" in texts:
        yield ("InvokeAI", *others.invoke(_json(texts["invokeai_metadata"])))
    if "sd-metadata" in texts:
        yield ("InvokeAI", *others.invoke_old(_json(texts["sd-metadata"])))
    for key in ("Dream", "dream"):
        if key in texts:
            yield ("InvokeAI", *others.dream(texts[key]))
    yield from _parameters(texts.get("parameters", ""), texts)
    for kind, graph in _graphs(texts):
        yield ("ComfyUI", *(comfy.read(graph) if kind == "prompt" else comfy.read_workflow(graph)))
    if "NovelAI" in (texts.get("Software", ""), *texts.get("Title", "").split()) or "NovelAI" in texts.get(
        "Source", ""
    ):
        yield ("NovelAI", *others.novelai(_json(texts.get("Comment", "")), texts.get("Source", "")))
    for comment in [*comments, *_from_xmp(texts)]:
        yield from _parameters(comment, texts)


def _parameters(text: str, texts: Mapping[str, str]):
    """A text in which programs write A1111's lines, or JSON of their own."""
    if text.lstrip()[:1] == "{":
        said = _json(text)
        if isinstance(said, dict):
            if "sui_image_params" in said:
                yield ("SwarmUI", *others.swarm(said["sui_image_params"]))
            elif "c" in said and "sampler" in said:
                yield ("Draw Things", *others.draw_things(said))
            elif "fooocus_scheme" in texts or "base_model" in said or "Base Model" in said:
                yield ("Fooocus", *others.fooocus(said))
            elif "positive_prompt" in said or "app_version" in said:
                yield ("InvokeAI", *others.invoke(said))
            elif "uc" in said and "prompt" in said:
                yield ("NovelAI", *others.novelai(said, ""))
            elif any(isinstance(node, dict) and "class_type" in node for node in list(said.values())[:50]):
                yield ("ComfyUI", *comfy.read(said))
        return
    parsed = infotext.parse(text)
    if parsed.settings:
        program = "Fooocus" if "fooocus_scheme" in texts else _writer(parsed.settings.get("Version", ""))
        yield (program, *infotext_fields.values(parsed))


def _writer(version: str) -> str:
    low = version.lower()
    known = {"atelier": "Atelier", "f": "Forge", "neo": "Forge", "classic": "Forge", "comfyui": "ComfyUI"}
    return next((name for start, name in known.items() if low.startswith(start)), "A1111")


def _graphs(texts: Mapping[str, str]):
    """ComfyUI's graphs: in PNG texts of their own, in WebP and JPEG as `prompt:{…}` inside EXIF fields."""
    found: dict[str, Any] = {}
    for key, value in texts.items():
        name, _, rest = value[:12].partition(":")
        if key in ("prompt", "workflow"):
            found.setdefault(key, value)
        elif rest and name.strip().lower() in ("prompt", "workflow"):
            found.setdefault(name.strip().lower(), value.partition(":")[2])
    for kind in ("prompt", "workflow"):
        if kind in found:
            yield kind, _json(found[kind])


def _from_xmp(texts: Mapping[str, str]) -> list[str]:
    """The user comment inside an XMP packet, where Draw Things writes. The packet is searched, never parsed as XML."""
    found: list[str] = []
    for key in ("XML:com.adobe.xmp", "xmp", "XMP"):
        packet = texts.get(key, "")
        start = packet.find("exif:UserComment")
        item = packet.find("<rdf:li", start) if start >= 0 else -1
        end = packet.find("</rdf:li>", item) if item >= 0 else -1
        if end > 0:
            found.append(html.unescape(packet[packet.find(">", item) + 1 : end]))
    return found


def _json(text: str) -> Any:
    """The JSON of a text; None when it is none. Python's reader is bounded by the text's length and its own depth."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text, parse_constant=lambda _name: None)
    with contextlib.suppress(ValueError, RecursionError):  # ComfyUI has written NaN and infinities bare
        return json.loads(re.sub(r"\b-?(NaN|Infinity)\b", "null", text))
    return None


def _checked(operation: str, values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values that this operation accepts, as it keeps them, and a sentence for each that it does not."""
    model = infotext_fields.OPERATIONS[operation]
    known = model.model_fields  # type: ignore[attr-defined]
    given = {name: value for name, value in values.items() if name in known and value is not None}
    required = {name: "-" for name, info in known.items() if info.is_required() and name not in given}
    left: list[str] = []
    for _ in range(2):
        try:
            sound = model.model_validate({**required, **given})  # type: ignore[attr-defined]
        except ValidationError as error:
            problems = {str(item["loc"][0]): item["msg"] for item in error.errors(include_url=False) if item["loc"]}
            left += [f"“{_title(known, name)}” was left out: {_plain(why)}." for name, why in problems.items()]
            given = {name: value for name, value in given.items() if name not in problems}
        else:
            return {name: value for name, value in sound.model_dump(mode="json").items() if name in given}, left
    return {}, [*left, "Its settings do not go together."]


def _needed(operation: str, values: Mapping[str, Any]) -> list[str]:
    names = {"picture": "The picture that it began with", "mask": "The mask"}
    model = infotext_fields.OPERATIONS[operation]
    fields = model.model_fields  # type: ignore[attr-defined]
    return [
        f"{words} is not in the file; choose it."
        for name, words in names.items()
        if name in fields and fields[name].is_required() and not values.get(name)
    ]


def _title(fields: Mapping[str, Any], name: str) -> str:
    known = fields.get(name)
    return (known.title if known is not None else "") or name.replace("_", " ").capitalize()


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ").rstrip(".")


def _short(sentence: str) -> str:
    flat = " ".join(sentence.encode("utf-8", "replace").decode().split())
    return flat if len(flat) <= 300 else flat[:299] + "…"
