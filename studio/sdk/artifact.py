"""What an operation leaves behind: a file and the recipe inside it. Imports pydantic only."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    MODEL = "model"
    DATA = "data"


class Artifact(BaseModel):
    """A result file. `id` is `<job>-<n>`; `path` is absolute while it travels between processes."""

    model_config = ConfigDict(frozen=True)
    id: str
    job: str
    kind: Kind
    path: str
    size: int
    sha256: str
    media: str = "application/octet-stream"


class ModelUse(BaseModel):
    """A model that took part: its catalogue id, and the hash of its weights where known."""

    model_config = ConfigDict(frozen=True)
    ref: str
    sha256: str = ""
    path: str = ""


class Recipe(BaseModel):
    """Everything needed to make an artifact again and to explain it. Unknown keys are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")
    schema_version: int = 1
    app: str = ""
    operation: str
    operation_version: int = 1
    params: dict[str, Any]
    job: str = ""
    artifact: str = ""
    created: float = 0.0
    models: tuple[ModelUse, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    device: str = ""
    dtype: str = ""
    rung: str = ""
    parents: tuple[str, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
