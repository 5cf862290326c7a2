"""From a request to a job: params checked, seeds drawn, models found, memory weighed; or a refusal in words."""

import asyncio
import dataclasses
import os
import re
import uuid
from typing import Any

from studio.errors import StudioError
from studio.host.discover import Operation, Plugins
from studio.host.loader import load_estimate, load_params
from studio.hub.catalogue import Catalogue
from studio.jobs.state import Job, Priority
from studio.sdk.operation import Estimate, ModelInfo
from studio.sdk.params import Params, Ui

ID = re.compile(r"^[0-9a-zA-Z_-]{1,64}$")
TITLE = 80
GIB = 1 << 30


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """Params that are valid, with seeds drawn and the model named; what they need."""

    params: Params
    models: tuple[str, ...]
    estimate: Estimate


class Admission:
    """Turns what clients ask for into jobs. Blocking parts run in a thread."""

    def __init__(self, plugins: Plugins, catalogue: Catalogue):
        self.plugins, self._catalogue = plugins, catalogue

    async def check(self, operation: str, values: dict[str, Any], *, version: int | None = None) -> Checked:
        """Raises StudioError naming what is wrong with which field, or with the model."""
        found = self.plugins.operation(operation)
        params = load_params(found).load(values, version).with_seeds()
        models: tuple[str, ...] = ()
        field = type(params).model_fields.get(found.entry.model_field)
        if field is not None:
            entry = await asyncio.to_thread(self._entry, str(getattr(params, found.entry.model_field)), field)
            params = params.model_copy(update={found.entry.model_field: entry.id})
            models = (entry.id,)
        return Checked(params, models, await asyncio.to_thread(self._estimate, found, params))

    def _entry(self, ref: str, field: Any) -> Any:
        hint = next((item for item in field.metadata if isinstance(item, Ui)), Ui())
        capability = hint.choices_from.partition(":")[2]
        for part in getattr(field.annotation, "__metadata__", ()):
            if isinstance(part, Ui) and part.choices_from:
                capability = part.choices_from.partition(":")[2]
        return self._catalogue.find(ref, capability).require_usable()

    def info(self, ref: str) -> ModelInfo | None:
        try:
            return self._catalogue.find(ref).to_info()
        except StudioError:
            return None

    def _estimate(self, operation: Operation, params: Params) -> Estimate:
        estimate = load_estimate(operation)
        return estimate(params, self.info) if estimate is not None else Estimate()

    def models_of(self, job: Job) -> dict[str, dict[str, Any]]:
        """What the worker must know of a job's models. Raises StudioError when one is gone."""
        return {ref: dataclasses.asdict(self._catalogue.find(ref).require_usable().to_info()) for ref in job.models}

    async def job(self, asked: dict[str, Any], budget: int) -> Job:
        """The job that a submit asks for. Raises StudioError; code "too-large" when it can never fit."""
        id = str(asked.get("job") or uuid.uuid4().hex)
        if not ID.match(id):
            raise StudioError("The job's id is not valid", "It has letters, digits, - and _ only.", code="invalid")
        operation = str(asked.get("operation", ""))
        params = asked.get("params") or {}
        if not isinstance(params, dict):
            raise StudioError("The params of a job are an object", code="invalid")
        checked = await self.check(operation, params, version=asked.get("version"))
        refuse_too_large(checked.estimate, budget)
        return Job(
            id=id,
            operation=operation,
            params=checked.params.model_dump(mode="json"),
            priority=priority_of(asked.get("priority") or self.plugins.operation(operation).entry.priority),
            title=str(asked.get("title") or self.title(checked.params, operation))[:TITLE],
            origin=str(asked.get("origin") or ""),
            models=checked.models,
            memory=checked.estimate.total,
            parents=tuple(map(str, asked.get("parents") or ())),
            depends_on=tuple(map(str, asked.get("depends_on") or ())),
            not_before=float(asked.get("not_before") or 0.0),
        )

    def title(self, params: Params, operation: str) -> str:
        """The beginning of the prompt, or the operation's own title."""
        for name, field in type(params).model_fields.items():
            if any(isinstance(item, Ui) and item.widget == "prompt" for item in field.metadata):
                words = " ".join(str(getattr(params, name)).split())
                if words:
                    return words
        return self.plugins.operation(operation).entry.title


def priority_of(name: Any) -> Priority:
    """A priority by its name or number. Raises StudioError."""
    try:
        return Priority[name.upper()] if isinstance(name, str) else Priority(name)
    except (KeyError, ValueError):
        known = ", ".join(priority.name.lower() for priority in Priority)
        raise StudioError(f"There is no priority {name}", f"Known: {known}.", code="invalid") from None


def refuse_too_large(estimate: Estimate, budget: int) -> None:
    """Raises StudioError with the numbers and the ways out when `estimate` is over `budget` (0: unknown)."""
    if not budget or estimate.total <= budget:
        return
    parts = ", ".join(f"{name} {size / GIB:.2f} GiB" for name, size in estimate.parts.items())
    raise StudioError(
        "This does not fit into memory",
        f"It needs about {estimate.total / GIB:.2f} GiB{f' ({parts})' if parts else ''}; "
        f"{budget / GIB:.2f} GiB can be used.",
        " ".join(estimate.rungs),
        code="too-large",
    )


def machine_budget() -> int:
    """Bytes that may be used before a worker has told; 0 where the system does not say."""
    limit = os.environ.get("ATELIER_MEMORY")
    if limit and limit.isdigit():
        return int(limit)
    try:
        return int(0.8 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return 0
