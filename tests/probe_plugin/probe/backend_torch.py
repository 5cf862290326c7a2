"""A probe operation that needs torch, to see that the worker prepares it."""

import os

import torch

from studio.sdk.operation import JobContext

from . import params as p


class Product:
    def run(self, params: p.Noop, ctx: JobContext) -> None:
        a = torch.eye(64, device=ctx.device, dtype=torch.bfloat16)
        total = (a @ a).float().sum().item()
        ctx.step(1, 1)
        ctx.note(total=total, isa=os.environ.get("ONEDNN_MAX_CPU_ISA", ""), grad=torch.is_grad_enabled())
        ctx.save_text(f"{total}")
