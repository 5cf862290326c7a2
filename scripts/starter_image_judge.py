"""What a painted picture is judged by: whether, of all pictures that were taught, the asked one is the nearest.

Owns what "near" means. Pictures are (N, 3, H, W) in [-1, 1], over white.
"""

import torch
from torch.nn import functional as F


def colours(pictures: torch.Tensor) -> torch.Tensor:
    """(N, D): the colours in squares of four pixels. A pale or blurred picture is far from all full ones alike, and
    so falls to whatever is small and pale."""
    return F.avg_pool2d(pictures, 4).flatten(1)


def look(pictures: torch.Tensor) -> torch.Tensor:
    """(N, D): what is drawn where, and where its edges run, each brought to length 1.

    The first half: how far squares of eight pixels are from white. The second: how much the grey changes across and
    down, in squares of four. Their lengths are left out, so neither paleness nor blur weighs: distances of these
    features put two cosines together.
    """
    drawn = F.avg_pool2d(pictures - 1.0, 8)
    grey = F.pad(pictures.mean(1, keepdim=True), (0, 1, 0, 1), mode="replicate")
    across, down = (grey[..., :-1, 1:] - grey[..., :-1, :-1]).abs(), (grey[..., 1:, :-1] - grey[..., :-1, :-1]).abs()
    edges = F.avg_pool2d(torch.cat([across, down], 1), 4)
    return torch.cat([F.normalize(part.flatten(1), dim=1) for part in (drawn, edges)], 1)


def recall(painted: torch.Tensor, truth: torch.Tensor, wanted: torch.Tensor) -> tuple[float, float]:
    """How often the nearest picture is the asked one, and how often it is among the five nearest.

    painted: (M, ...) features of what was painted, truth: (N, ...) of all pictures, wanted: (M,) indices into truth.
    """
    near = torch.cdist(painted.flatten(1), truth.flatten(1)).topk(min(5, len(truth)), largest=False).indices
    hits = near == wanted[:, None]
    return hits[:, 0].float().mean().item(), hits.any(1).float().mean().item()


def judged(painted: torch.Tensor, truth: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Both kinds of recall, and the squared error of the colours. painted: (M, 3, H, W), truth: (N, 3, H, W)."""
    top1, top5 = recall(colours(painted), colours(truth), wanted)
    look1, look5 = recall(look(painted), look(truth), wanted)
    error = F.mse_loss(painted, truth[wanted]).item()
    return {"top1": top1, "top5": top5, "look1": look1, "look5": look5, "error": error}
