"""One model of the catalogue. Imports pydantic, sdk and errors only."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import StudioError
from studio.hub.capability import SPECIAL, UNKNOWN
from studio.sdk.operation import ModelInfo


class ModelEntry(BaseModel):
    """A model on disk, usable or not. Sizes in bytes; `context` in tokens; empty and 0 mean "not known".

    problem: a StudioError as a dictionary; such a model is listed and refused. notes: what is worth knowing.
    also: what it can do beside its capability.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    title: str
    path: str
    layout: Literal["huggingface", "diffusers", "file"]
    capability: str = UNKNOWN
    also: tuple[str, ...] = ()
    family: str = ""
    size: int = 0
    parameters: int = 0
    dtype: str = ""
    context: int = 0
    licence: str = ""
    card_excerpt: str = ""
    problem: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    config: dict[str, Any] = Field(default_factory=dict)
    starter: bool = False

    def can(self, capability: str) -> bool:
        """Whether it does `capability`; everything does ""."""
        return capability in ("", self.capability, *self.also) or SPECIAL.get(capability) == self.capability

    def suits(self, capability: str) -> bool:
        """Whether it was made for `capability`, and not for something more general or more special."""
        if capability in SPECIAL:
            return capability in self.also
        return all(SPECIAL.get(other) != capability for other in self.also)

    def to_info(self, sha256: str = "") -> ModelInfo:
        """As backends and estimates see it."""
        return ModelInfo(
            id=self.id,
            path=self.path,
            capability=self.capability,
            family=self.family,
            size=self.size,
            parameters=self.parameters,
            dtype=self.dtype,
            sha256=sha256,
            config=self.config,
        )

    def require_usable(self) -> "ModelEntry":
        """Itself. Raises StudioError when the model has a problem."""
        if self.problem is not None:
            raise StudioError.from_dict(self.problem)
        return self
