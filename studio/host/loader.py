"""Imports what a manifest names: the params in any process, panels in the window, backends in workers.

A plugin folder is no package of its own on sys.path: it appears as `studio_plugins.<id>`, so that two
plugins may both have a params.py. One of the four doors: an import that throws becomes a StudioError.
"""

import importlib
import sys
import traceback
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.host.discover import NAMESPACE, Operation, Plugin
from studio.sdk.operation import EstimateFunction
from studio.sdk.params import Params


def load(folder: Path, package: str, target: str, needs: Iterable[tuple[str, Path]] = ()) -> Any:
    """The object `module:name` of the plugin in `folder`. Raises StudioError with the traceback as log.

    needs: package and folder of the plugins that it imports from, as `from ..text.module import name`.
    """
    for name, place in ((package, folder), *needs):
        if name.startswith(NAMESPACE + "."):
            _mount(name, place)
    module_name, _, name = target.partition(":")
    try:
        module = importlib.import_module(f"{package}.{module_name}")
        return getattr(module, name)
    except (Exception, SystemExit) as error:
        raise StudioError(
            f"The plugin {package.rpartition('.')[2]} could not be loaded",
            f"It left with exit code {error.code}."
            if isinstance(error, SystemExit)
            else f"{type(error).__name__}: {error}",
            f"Its folder is {folder}.",
            code="plugin",
            log=traceback.format_exc(),
        ) from error


def load_from(plugin: Plugin, target: str) -> Any:
    return load(plugin.folder, plugin.package, target, plugin.needs)


def load_place(place: dict[str, Any]) -> Any:
    """The object that `Plugin.place` named in another process."""
    needs = [(str(package), Path(folder)) for package, folder in place.get("needs", ())]
    return load(Path(place["folder"]), str(place["package"]), str(place["target"]), needs)


def load_params(operation: Operation) -> type[Params]:
    found = load_from(operation.plugin, operation.entry.params)
    if not (isinstance(found, type) and issubclass(found, Params)):
        raise StudioError(f"The params of {operation.id} are not a Params class", code="plugin")
    return found


def load_estimate(operation: Operation) -> EstimateFunction | None:
    return load_from(operation.plugin, operation.entry.estimate) if operation.entry.estimate else None


def _mount(package: str, folder: Path) -> None:
    """Makes `folder` importable as `package` without touching sys.path."""
    if NAMESPACE not in sys.modules:
        root = types.ModuleType(NAMESPACE)
        root.__path__ = []
        sys.modules[NAMESPACE] = root
    known = sys.modules.get(package)
    if known is not None and list(known.__path__) == [str(folder)]:
        return
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]
    module = types.ModuleType(package)
    module.__path__ = [str(folder)]
    sys.modules[package] = module
