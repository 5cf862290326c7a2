"""Tiny pipelines with packed weights, written by bitsandbytes and torchao themselves.

The two may lie beside the environment (see scripts/environment.sh): a process that is to have them gets `place()` on
its path. `write` runs in such a process.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LIBRARIES = ("bitsandbytes", "torchao")
STORED = {"nf4": ("bitsandbytes", "int4"), "eight": ("bitsandbytes", "int8"), "ao8": ("torchao", "int8")}
"""Name of a folder -> the library that packs its weights, and into what."""


def place() -> str | None:
    """What to put on the path, "" for nothing; None where the two are not installed."""
    if all(find_spec(name) is not None for name in LIBRARIES):
        return ""
    beside = Path(sys.prefix) / "quantised"
    return str(beside) if all((beside / name).is_dir() for name in LIBRARIES) else None


def write(root: Path) -> None:
    """A folder for each of STORED beside root/flux, and sizes.json: what they hold when they are loaded, in bytes."""
    import pytest

    from plugins.image import loading, quantised
    from plugins.image.families import QUANTISABLE
    from studio.hub.catalogue import Catalogue
    from studio.worker.models import weigh
    from tests.tiny_pipelines import copied

    def load(name: str, bits: str = "none") -> Any:
        info = Catalogue([root], None, root / "none").find(name).require_usable().to_info()
        return loading.load(info, "cpu", "float32", bits)

    sizes = {"flux": weigh(load("flux"))}
    for name, (library, bits) in STORED.items():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(quantised, "quantisers", lambda library=library: (library,))
            loaded = load("flux", bits)
        folder = copied(root / "flux", root / name)
        for part in QUANTISABLE:
            if loaded.parts.get(part) is not None:
                for file in (folder / part).glob("*.safetensors"):
                    file.unlink()
                loaded.parts[part].save_pretrained(folder / part)
        sizes[name] = weigh(loaded)
    (root / "sizes.json").write_text(json.dumps(sizes))
