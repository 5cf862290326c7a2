"""Finds plugins: folders with a plugin.toml, and installed distributions. Imports none of them."""

import importlib.util
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.paths import Paths, bundled
from studio.sdk.manifest import Manifest, OperationEntry, PanelEntry, read_manifest

log = logging.getLogger(__name__)
GROUP = "studio.plugins"
NAMESPACE = "studio_plugins"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that was found; `problem` says why it is not usable, if it is not.

    needs: package and folder of each plugin whose modules it imports, those that these need among them.
    """

    id: str
    folder: Path
    package: str
    source: str
    manifest: Manifest | None = None
    problem: StudioError | None = None
    needs: tuple[tuple[str, Path], ...] = ()

    @property
    def usable(self) -> bool:
        return self.manifest is not None and self.problem is None

    def place(self, target: str) -> dict[str, Any]:
        """Where another process finds `module:name` of this plugin, as JSON."""
        needs = [[package, str(folder)] for package, folder in self.needs]
        return {"folder": str(self.folder), "package": self.package, "target": target, "needs": needs}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation and the plugin that owns it."""

    plugin: Plugin
    entry: OperationEntry

    @property
    def id(self) -> str:
        return self.entry.id


@dataclass(frozen=True, slots=True)
class Plugins:
    """Everything found, usable or not, in order of precedence."""

    all: tuple[Plugin, ...]

    @property
    def usable(self) -> list[Plugin]:
        return [plugin for plugin in self.all if plugin.usable]

    def operations(self) -> dict[str, Operation]:
        return {
            entry.id: Operation(plugin, entry)
            for plugin in self.usable
            for entry in plugin.manifest.operation  # type: ignore[union-attr]
        }

    def operation(self, id: str) -> Operation:
        """Raises StudioError naming the plugin that would own it, when it is there but not usable."""
        found = self.operations().get(id)
        if found:
            return found
        for plugin in self.all:
            if plugin.problem and id.startswith(plugin.id + "."):
                raise StudioError(
                    f"The operation {id} is not available",
                    f"The plugin {plugin.id} is not usable: {plugin.problem}",
                    "Repair or remove the plugin.",
                    code="plugin",
                )
        raise StudioError(
            f"There is no operation {id}",
            f"Known operations: {', '.join(sorted(self.operations())) or 'none'}.",
            code="unknown-operation",
        )

    def panels(self) -> list[tuple[Plugin, PanelEntry]]:
        pairs = [(plugin, entry) for plugin in self.usable for entry in plugin.manifest.panel]  # type: ignore[union-attr]
        return sorted(pairs, key=lambda pair: pair[1].order)


def plugin_folders(paths: Paths) -> list[Path]:
    """Where plugins are looked for: the application's own, the person's, and those of $ATELIER_PLUGINS."""
    more = os.environ.get("ATELIER_PLUGINS", "").split(os.pathsep)
    return [bundled("plugins"), paths.plugins, *(Path(folder) for folder in more if folder)]


def discover(folders: Iterable[Path], disabled: Iterable[str] = (), *, installed: bool = True) -> Plugins:
    """Plugins of `folders` (each holding one folder a plugin) and of installed distributions.

    The first of two with one id wins; the other is listed with that as its problem.
    """
    found: list[Plugin] = []
    for base in folders:
        if not base.is_dir():
            continue
        folders_here = (entry for entry in sorted(base.iterdir()) if (entry / "plugin.toml").is_file())
        found += [_read(folder, "", str(base)) for folder in folders_here]
    if installed:
        found += _installed()
    taken: dict[str, Plugin] = {}
    result: list[Plugin] = []
    for plugin in found:
        problem = plugin.problem
        if problem is None and plugin.id in taken:
            first = taken[plugin.id].folder
            problem = StudioError("Another plugin has this id", f"{first} was found first.", code="double")
        elif problem is None and plugin.id in set(disabled):
            problem = StudioError("Switched off", code="disabled")
        taken.setdefault(plugin.id, plugin)
        result.append(replace(plugin, problem=problem))
    usable = {plugin.id: plugin for plugin in result if plugin.usable}
    return Plugins(tuple(_with_needs(plugin, usable) if plugin.usable else plugin for plugin in result))


def _with_needs(plugin: Plugin, usable: Mapping[str, Plugin]) -> Plugin:
    """The plugin with what it builds on, or with the problem that something of it is not there."""
    needs: dict[str, Plugin] = {}
    todo = [(plugin.id, id) for id in _required(plugin)]
    while todo:
        by, id = todo.pop(0)
        if id not in usable:
            problem = StudioError(
                f"It builds on the plugin {id}, which is not usable", f"{by} requires {id}.", code="requires"
            )
            return replace(plugin, problem=problem)
        if id != plugin.id and id not in needs:
            needs[id] = usable[id]
            todo += [(id, more) for more in _required(usable[id])]
    return replace(plugin, needs=tuple((found.package, found.folder) for found in needs.values()))


def _required(plugin: Plugin) -> tuple[str, ...]:
    return plugin.manifest.requires if plugin.manifest else ()


def _read(folder: Path, package: str, source: str) -> Plugin:
    try:
        manifest = read_manifest(folder / "plugin.toml")
    except StudioError as problem:
        return Plugin(folder.name, folder, package, source, None, problem)
    package = package or f"{NAMESPACE}.{manifest.id.replace('-', '_')}"
    return Plugin(manifest.id, folder, package, source, manifest)


def _installed() -> list[Plugin]:
    found = []
    for point in entry_points(group=GROUP):
        package = point.value.partition(":")[0]
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.submodule_search_locations:
            log.info("entry point %s names no package", point.name)
            continue
        found.append(_read(Path(next(iter(spec.submodule_search_locations))), package, f"installed: {point.name}"))
    return found
