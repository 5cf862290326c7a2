"""One message of a conversation, and what may stand in it when it is read back from a file.

Owns Node. Imports the standard library only.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Node:
    """One message. parent: the message before it, "" for a first one.

    model, settings: what wrote it. job, artifact, tokens: the job, its result, and where the records of its tokens
    are, by reference. facts: how it ended. source: the message it is a version of; of its text it has the first
    `kept` characters (a branch at a token). rating: 1 good, -1 bad.
    """

    id: str
    parent: str
    role: str
    content: str
    model: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    job: str = ""
    artifact: str = ""
    tokens: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    kept: int = 0
    created: float = 0.0
    rating: int = 0


TYPES: dict[str, type] = {field.name: str for field in fields(Node)}
TYPES |= {"settings": dict, "facts": dict, "kept": int, "rating": int, "created": float}
CHANGEABLE = {name: t for name, t in TYPES.items() if name not in ("id", "parent", "role", "created", "source")}


def compact(node: Node) -> dict[str, Any]:
    """The node without its empty fields."""
    return {name: value for name, value in asdict(node).items() if value or name in ("parent", "content")}


def read_node(values: dict[str, Any]) -> Node:
    """A node of what `compact` made. Raises ValueError for anything else."""
    found = checked(values, TYPES)
    if not found.get("id") or found.get("role") not in ROLES or "content" not in found:
        raise ValueError("a message has an id, one of the roles and a content")
    if "parent" not in found:
        found["parent"] = ""
    return Node(**found)


def checked(values: dict[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """The values of these names, of the right types; fields of later versions are left out."""
    found = {}
    for name, value in values.items():
        wanted = types.get(name)
        if wanted is None:
            continue
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise ValueError(f"the {name} of a message is {type(value).__name__}, not {wanted.__name__}")
        found[name] = value
    return found
