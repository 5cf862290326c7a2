"""From a request to a job: params checked, seeds drawn, models found, memory weighed; or a refusal in words."""

import asyncio
import contextlib
import dataclasses
import os
import re
import threading
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from studio.engine import references
from studio.engine.asked import Asked
from studio.engine.corrections import Corrections
from studio.errors import StudioError
from studio.host.discover import Operation, Plugins
from studio.host.loader import load_estimate, load_params
from studio.hub.catalogue import Catalogue
from studio.jobs.state import Job, Priority
from studio.library import inputs
from studio.sdk.fields import FieldSpec, describe
from studio.sdk.operation import Estimate, EstimateFunction, ModelInfo
from studio.sdk.params import Params, Ui

ID = re.compile(r"^[0-9a-zA-Z_]{1,64}$")  # it becomes part of file names
TITLE = 80
IMPORT_S = 30.0
GIB = 1 << 30
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """Params that are valid, with seeds drawn and the model named; what they need."""

    params: Params
    models: tuple[str, ...]
    estimate: Estimate


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """What the engine needs of a plugin's code."""

    operation: Operation
    params: type[Params]
    specs: list[FieldSpec]
    estimate: EstimateFunction | None


class Admission:
    """Turns what clients ask for into jobs. Blocking parts run in a thread."""

    def __init__(self, plugins: Plugins, catalogue: Catalogue, corrections: Corrections, inputs: Path):
        self._plugins, self._catalogue, self._corrections = plugins, catalogue, corrections
        self._inputs = inputs
        self._known: dict[str, Definition] = {}

    @property
    def plugins(self) -> Plugins:
        return self._plugins

    @plugins.setter
    def plugins(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._known.clear()

    async def check(
        self, operation: str, values: dict[str, Any], *, version: int | None = None, files: bool = True
    ) -> Checked:
        """Raises StudioError naming what is wrong with which field, or with the model.

        files: whether input files are looked for and copied; who only asks for the memory need not have chosen any.
        """
        defined = await self._definition(operation)
        params = defined.params.load(values, version).with_seeds()
        params, models = await asyncio.to_thread(self._referred, defined, params, files)
        if defined.estimate is None:
            return Checked(params, models, Estimate())
        estimate = await asyncio.to_thread(self._estimate, defined, params)
        return Checked(params, models, self._corrections.applied(operation, models, estimate))

    async def learn(self, job: Job, measured: dict[str, Any]) -> None:
        """Takes what a run of `job` needed: {"peak", "before", "warm", "alone"} as the worker tells it."""
        peak, before = measured.get("peak"), measured.get("before")
        if not (measured.get("warm") and measured.get("alone") and isinstance(peak, int) and isinstance(before, int)):
            return
        defined = await self._definition(job.operation)
        if defined.estimate is None:
            return
        estimate = await asyncio.to_thread(self._estimate, defined, defined.params.load(job.params))
        self._corrections.learn(job.operation, job.models, estimate.working, peak - before)

    async def _definition(self, operation: str) -> Definition:
        """Params and estimate, imported once, in a thread: an import that hangs must not stop the engine."""
        known = self._known.get(operation)
        if known is None:
            found = self._plugins.operation(operation)
            try:
                known = await asyncio.wait_for(_on_a_thread(lambda: _define(found)), IMPORT_S)
            except TimeoutError:
                raise StudioError(
                    f"The plugin {found.plugin.id} does not load",
                    f"Importing its params took longer than {IMPORT_S:.0f} s.",
                    f"Its folder is {found.plugin.folder}.",
                    code="plugin",
                ) from None
            self._known[operation] = known
        return known

    def _referred(self, defined: Definition, params: Params, files: bool) -> tuple[Params, tuple[str, ...]]:
        """Params that name models by their ids and input files by their content, and all the models.

        The operation's own model is the default one when none is named, and comes first.
        """
        main = defined.operation.entry.model_field

        def settle(spec: FieldSpec, value: str) -> str:
            if spec.input:
                return self._input(spec, value) if files else value
            return self._catalogue.find(value, references.capability(spec)).require_usable().id

        values = params.model_dump(mode="json")
        for spec in defined.specs:
            if files and spec.input and spec.required and not values[spec.name]:
                self._input(spec, "")
        named = references.changed(values, defined.specs, settle)
        chosen = next((spec for spec in defined.specs if spec.name == main), None)
        if chosen is not None and not named[main]:
            named[main] = self._catalogue.find("", references.capability(chosen)).require_usable().id
        models = dict.fromkeys([named[main]] if chosen is not None else [])
        models |= dict.fromkeys(references.models(named, defined.specs))
        return (params if named == values else type(params).load(named)), tuple(models)

    def _input(self, spec: FieldSpec, value: str) -> str:
        """The name of the file's kept copy. Raises StudioError that names the field."""
        try:
            if value.startswith(inputs.MARK):
                inputs.locate(self._inputs, value)
                return value
            if not value:
                inputs.locate(self._inputs, value)
            path = Path(value).expanduser()
            if not path.is_absolute():
                raise StudioError("The input file needs its whole path", value, code="no-input")
            return inputs.keep_file(self._inputs, path)
        except StudioError as error:
            error.problems = {spec.name: error.detail or error.title}  # type: ignore[attr-defined]
            raise

    def info(self, ref: str) -> ModelInfo | None:
        try:
            return self._catalogue.find(ref).to_info()
        except StudioError:
            return None

    def _estimate(self, defined: Definition, params: Params) -> Estimate:
        assert defined.estimate is not None
        try:
            return defined.estimate(params, self.info)
        except StudioError:
            raise
        except Exception as error:  # the plugin's door
            raise StudioError(
                f"The plugin {defined.operation.plugin.id} could not say how much memory this needs",
                f"{type(error).__name__}: {error}",
                code="plugin",
                log=traceback.format_exc(),
            ) from error

    def models_of(self, job: Job) -> dict[str, dict[str, Any]]:
        """What the worker must know of a job's models. Raises StudioError when one is gone."""
        return {ref: dataclasses.asdict(self._catalogue.find(ref).require_usable().to_info()) for ref in job.models}

    async def job(self, asked: Asked, budget: int) -> Job:
        """The job that a submit asks for. Raises StudioError; code "too-large" when it can never fit."""
        id = asked.text("job") or uuid.uuid4().hex
        if not ID.match(id):
            raise StudioError("The job's id is not valid", "It has letters, digits and _ only.", code="bad-request")
        depends_on = tuple(asked.texts("depends_on"))
        if id in depends_on:
            raise StudioError("A job cannot wait for itself", id, code="bad-request")
        operation = asked.text("operation")
        checked = await self.check(operation, asked.object("params"), version=asked.whole("version", None))
        refuse_too_large(checked.estimate, budget)
        return Job(
            id=id,
            operation=operation,
            params=checked.params.model_dump(mode="json"),
            priority=priority_of(
                asked.get("priority") if "priority" in asked else self._plugins.operation(operation).entry.priority
            ),
            title=(asked.text("title") or self.title(checked.params, operation))[:TITLE],
            origin=asked.text("origin"),
            models=checked.models,
            memory=checked.estimate.total,
            parents=tuple(asked.texts("parents")),
            depends_on=depends_on,
            not_before=asked.number("not_before"),
            device=self._plugins.operation(operation).entry.device,
        )

    def title(self, params: Params, operation: str) -> str:
        """The beginning of the prompt, or the operation's own title."""
        for name, field in type(params).model_fields.items():
            if any(isinstance(item, Ui) and item.widget == "prompt" for item in field.metadata):
                words = " ".join(str(getattr(params, name))[: 10 * TITLE].split())
                if words:
                    return words[:TITLE]
        return self._plugins.operation(operation).entry.title


def _define(operation: Operation) -> Definition:
    params = load_params(operation)
    return Definition(operation, params, describe(params), load_estimate(operation))


def _on_a_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Like asyncio.to_thread, on a thread that an engine which leaves need not wait for."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(error: BaseException | None, value: Any) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)

    def run() -> None:
        outcome: tuple[BaseException | None, Any]
        try:
            outcome = (None, work())
        except StudioError as error:
            outcome = (error, None)
        except BaseException as error:  # noqa: BLE001 - the plugin's door
            said = StudioError("A plugin could not be loaded", repr(error), code="plugin", log=traceback.format_exc())
            outcome = (said, None)
        with contextlib.suppress(RuntimeError):  # the engine has left meanwhile
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="plugin-import", daemon=True).start()
    return result


def priority_of(name: Any) -> Priority:
    """A priority by its name or number. Raises StudioError."""
    try:
        return Priority[name.upper()] if isinstance(name, str) else Priority(name)
    except (KeyError, ValueError):
        known = ", ".join(priority.name.lower() for priority in Priority)
        raise StudioError(f"There is no priority {name}", f"Known: {known}.", code="bad-request") from None


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
