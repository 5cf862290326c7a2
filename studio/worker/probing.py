"""What a sacrificial child tries: `python -m studio.worker --probe KIND`.

It prints a line of JSON after every thing that worked, so that a death tells what killed it. The parent
reads the last line and the exit status; this module is run in no other process.
"""

import json
import sys
from typing import Any

SIZES = ((64, 64), (1, 256), (128, 512))
TOLERANCE = {"float32": 1e-3, "float16": 3e-2, "bfloat16": 3e-2}


def main(kind: str) -> int:
    """0 when everything was tried, whatever was found; 1 for a kind that is not known."""
    tries = {"cpu": _cpu, "cuda": _cuda, "mps": _mps}
    if kind not in tries:
        print(f"there is no probe for {kind!r}", file=sys.stderr)
        return 1
    tries[kind]()
    return 0


def _say(found: dict[str, Any]) -> None:
    print(json.dumps(found), flush=True)


def _cpu() -> None:
    works: list[str] = []
    for dtype in ("float32", "float16", "bfloat16"):
        if _right("cpu", dtype):
            works.append(dtype)
        _say({"works": works})


def _cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        _say({"why": "torch sees no CUDA device"})
        return
    properties = torch.cuda.get_device_properties(0)
    found: dict[str, Any] = {
        "name": properties.name,
        "total": properties.total_memory,
        "capability": list(torch.cuda.get_device_capability(0)),
        "works": [],
    }
    for dtype in ("float32", "float16", "bfloat16"):
        if _right("cuda", dtype):
            found["works"].append(dtype)
    native = found["capability"][0] >= 8  # bfloat16 is emulated, slowly, below
    order = ("bfloat16", "float16", "float32") if native else ("float16", "float32")
    found["dtype"] = next((dtype for dtype in order if dtype in found["works"]), "")
    _say(found)


def _mps() -> None:
    import torch

    if not torch.backends.mps.is_available():
        _say({"why": "torch sees no Metal device"})
        return
    works = [dtype for dtype in ("float32", "float16") if _right("mps", dtype)]
    _say({"works": works, "dtype": works[-1] if works else "", "total": torch.mps.recommended_max_memory()})


def _right(device: str, dtype: str) -> bool:
    """Whether products, a linear layer and a convolution in `dtype` are there and agree with double precision."""
    try:
        return _agrees(device, dtype)
    except RuntimeError as error:
        print(f"{device} {dtype}: {error}", file=sys.stderr)
        return False


def _agrees(device: str, dtype: str) -> bool:
    import torch

    generator = torch.Generator().manual_seed(0)
    kind = getattr(torch, dtype)
    for rows, size in SIZES:
        # a: (rows, size), b: (size, size)
        a = torch.randn(rows, size, generator=generator)
        b = torch.randn(size, size, generator=generator)
        truth = a.double() @ b.double()
        for product in (
            a.to(device, kind) @ b.to(device, kind),
            torch.nn.functional.linear(a.to(device, kind), b.T.to(device, kind)),
        ):
            error = (product.double().cpu() if device != "mps" else product.cpu().double()) - truth
            if not bool(error.norm() <= TOLERANCE[dtype] * truth.norm()):
                return False
    picture, kernel = torch.randn(1, 8, 16, 16, generator=generator), torch.randn(8, 8, 3, 3, generator=generator)
    truth = torch.nn.functional.conv2d(picture.double(), kernel.double())
    result = torch.nn.functional.conv2d(picture.to(device, kind), kernel.to(device, kind)).cpu().double()
    return bool((result - truth).norm() <= TOLERANCE[dtype] * truth.norm())
