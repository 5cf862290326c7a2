"""LoRAs on a resident model: installed by content, shared by jobs, switched with the device's baton.

Owns `adapted` and Installed, the record of one model's adapters. Between jobs every adapter is off, and a layer
whose adapters are off computes exactly what the bare layer does. Layers are wrapped by PEFT
(https://huggingface.co/docs/peft), files are read by diffusers' loaders (adapter_files.py).
"""

import contextlib
import hashlib
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .adapter_files import AdapterFile, base_of, fitted, read
from .params import Lora

KEPT = 4
"""Adapters that stay on a model although no job uses them."""


@dataclass
class _Adapter:
    file: AdapterFile
    parts: tuple[str, ...]
    users: int = 0
    used: int = 0


@dataclass
class Installed:
    """The adapters on one model's modules. Changed only by the job that holds the device, but for `users`."""

    adapters: dict[str, _Adapter] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    clock: int = 0
    on: "_Switch | None" = None


@contextlib.contextmanager
def adapted(loaded: Any, ctx: JobContext, loras: Sequence[Lora]) -> Iterator[str]:
    """Inside, the model acts with `loras` on it, whenever this job computes. Gives the key of `adapters_key`.

    The same LoRA given twice acts with the sum of its weights. Raises StudioError where one does not fit.
    """
    installed = cast(Installed, loaded.kept.setdefault("adapters", Installed()))
    with contextlib.ExitStack() as stack:
        weights: dict[str, float] = {}
        for lora in loras:
            if not lora.model:
                continue
            file = stack.enter_context(ctx.models.use(lora.model, read, key="lora"))
            stack.enter_context(_using(installed, loaded, ctx, file))
            weights[file.name] = weights.get(file.name, 0.0) + lora.weight
        _prune(installed, loaded)  # here, not at the end: a job that is cancelled while it waits has no device
        active = {name: weight for name, weight in weights.items() if weight}
        if active:
            touched = {part: modules(loaded)[part] for name in active for part in installed.adapters[name].parts}
            switch = _Switch(installed, list(touched.values()), active)
            stack.enter_context(ctx.around_baton(switch.on, switch.off))
        yield adapters_key(installed, active)


def modules(loaded: Any) -> dict[str, nn.Module]:
    """The parts of a model that take adapters: the denoiser and the text encoders."""
    wanted = ("unet", "transformer", "transformer_2", "text_encoder", "text_encoder_2", "text_encoder_3")
    return {name: loaded.parts[name] for name in wanted if isinstance(loaded.parts.get(name), nn.Module)}


def adapters_key(installed: Installed, active: dict[str, float]) -> str:
    """Tells apart what text encoders say under these adapters; "" where none is on a text encoder."""
    texts = sorted(
        (name, weight)
        for name, weight in active.items()
        if any(part.startswith("text_encoder") for part in installed.adapters[name].parts)
    )
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:20] if texts else ""


class _Switch:
    """Turns a stack of adapters on, and off again to what was on before: one job may be inside two stacks, for the
    passes of one picture."""

    def __init__(self, installed: Installed, modules: list[nn.Module], weights: dict[str, float]):
        self._installed, self._modules, self._weights = installed, modules, weights
        self._before: _Switch | None = None

    def on(self) -> None:
        self._before, self._installed.on = self._installed.on, self
        self._apply()

    def off(self) -> None:
        _disable(self._modules)
        self._installed.on = self._before
        if self._before is not None:
            self._before._apply()

    def _apply(self) -> None:
        for layer in _layers(self._modules):
            layer.enable_adapters(True)
            layer.set_adapter(list(self._weights), inference_mode=True)
            for name, weight in self._weights.items():
                layer.set_scale(name, weight)


@contextlib.contextmanager
def _using(installed: Installed, loaded: Any, ctx: JobContext, file: AdapterFile) -> Iterator[None]:
    if file.name not in installed.adapters:
        ctx.stage(f"Loading {file.id}")
        installed.adapters[file.name] = _Adapter(file, _install(loaded, file))
    adapter = installed.adapters[file.name]
    with installed.lock:
        installed.clock += 1
        adapter.used = installed.clock
        adapter.users += 1
    try:
        yield
    finally:
        with installed.lock:
            adapter.users -= 1


def _install(loaded: Any, file: AdapterFile) -> tuple[str, ...]:
    """Puts the adapter on the modules, turned off; all of it or nothing. The parts that have it now."""
    found = modules(loaded)
    denoiser = found.get("unet")
    converter = _converter(loaded)
    with torch.inference_mode(False), torch.no_grad():
        parts = fitted(file, found, converter, loaded.family.title, denoiser.config if denoiser is not None else None)
        done: list[str] = []
        try:
            for part, tensors in parts.items():
                if tensors:
                    done.append(part)
                    with _on_packed(loaded, file, part):
                        _inject(found[part], file.name, tensors, loaded.device, loaded.dtype)
        except BaseException:
            for part in done:
                _remove(found[part], file.name)
            raise
        finally:
            _disable([found[part] for part in done])
    return tuple(done)


@contextlib.contextmanager
def _on_packed(loaded: Any, file: AdapterFile, part: str) -> Iterator[None]:
    """What PEFT refuses on weights in fewer bits, in words."""
    try:
        yield
    except (TypeError, ValueError) as error:
        how = getattr(loaded, "packed", {}).get(part)
        if not how:
            raise
        raise StudioError(
            "This LoRA cannot act on weights in fewer bits",
            f"{file.id} has a part that PEFT does not put on {how}: {error}",
            "Choose another way under Weights, or none.",
            code="lora-quantised",
        ) from None


def _converter(loaded: Any) -> Any:
    """The family's diffusers class that reads LoRA files."""
    import diffusers

    for name in loaded.family.pipelines.values():
        found = getattr(diffusers, name, None)
        if hasattr(found, "lora_state_dict"):
            return found
    raise StudioError(f"{loaded.family.title} takes no LoRA", "The library has no loader for it.", code="lora-family")


def _inject(module: nn.Module, name: str, tensors: dict[str, Tensor], device: Any, dtype: Any) -> None:
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

    ranks = {f"^{key.removesuffix('.lora_A.weight')}": t.shape[0] for key, t in tensors.items() if ".lora_A." in key}
    rank = next(iter(ranks.values()))
    own = {key: value for key, value in ranks.items() if value != rank}
    biased = any(key.endswith(".lora_B.bias") for key in tensors)
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        rank_pattern=own,
        alpha_pattern=dict(own),
        target_modules=[key[1:] for key in ranks],
        lora_bias=biased,
        inference_mode=True,
    )
    state = {key: tensor.to(device=device, dtype=dtype) for key, tensor in tensors.items()}
    with warnings.catch_warnings():  # several adapters on one module are what is wanted
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        inject_adapter_in_model(config, module, adapter_name=name, low_cpu_mem_usage=True, state_dict=state)
    set_peft_model_state_dict(module, state, adapter_name=name, low_cpu_mem_usage=True)


def _prune(installed: Installed, loaded: Any) -> None:
    """Takes the adapters that were not used for longest off the model, beyond the few that are kept."""
    with installed.lock:
        idle = sorted((a for a in installed.adapters.values() if not a.users), key=lambda a: a.used)
        gone = idle[: max(0, len(idle) - KEPT)]
        for adapter in gone:
            del installed.adapters[adapter.file.name]
    for adapter in gone:
        for part in adapter.parts:
            _remove(modules(loaded)[part], adapter.file.name)


def _remove(module: nn.Module, name: str) -> None:
    """Takes one adapter off; a layer without any is the plain one again."""
    for layer in _layers([module]):
        layer.set_adapter([active for active in layer.active_adapters if active != name], inference_mode=True)
        layer.delete_adapter(name)
    configs = getattr(module, "peft_config", {})
    configs.pop(name, None)
    for parent in list(module.modules()):
        for key, child in list(parent.named_children()):
            if _is_layer(child) and not child.r:
                setattr(parent, key, base_of(child))
    if not configs and hasattr(module, "peft_config"):
        del module.peft_config


def _disable(found: Sequence[nn.Module]) -> None:
    for layer in _layers(found):
        layer.enable_adapters(False)


def _layers(found: Sequence[nn.Module]) -> list[Any]:
    return [layer for module in found for layer in module.modules() if _is_layer(layer)]


def _is_layer(module: Any) -> bool:
    from peft.tuners.lora import LoraLayer

    return isinstance(module, LoraLayer)
