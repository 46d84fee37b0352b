"""What turns gradients into steps: AdamW for everything, or Muon for the hidden matrices and AdamW for the rest.

Muon (Keller Jordan 2024, kellerjordan.github.io/posts/muon) keeps a momentum of the gradient and steps along its
nearest semi-orthogonal matrix, found by a few Newton–Schulz iterations: all directions of a matrix learn at one pace.
Steps are scaled by 0.2 · √(longer side), as Liu et al. 2025 (arXiv 2502.16982) do, which gives them the size of AdamW's
and lets both share one learning rate and one weight decay. It keeps one number a weight where AdamW keeps two.

Hidden matrices are those of attention and of the MLPs, inside the blocks. Modulations, embeddings, projections in and
out, biases and norms are AdamW's: they are no maps of a stream onto itself, or no matrices.

Cost of Muon: at most 15 · width multiply-adds a weight and step, whatever the batch, where forward and backward take 3
a token: a twelfth of the step at width 1024 and 65,536 tokens a process. A sharded matrix is gathered whole, and every
process works out the same update and keeps its own rows.
"""

import math
from collections.abc import Callable, Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from dataengine.config import Config

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of x ↦ a·x + b·x³ + c·x⁵ that carry singular values to about 1 as fast as can be (Jordan 2024)."""


class OptimizerConfig(Config):
    """Decay is applied to matrices only, not to biases and norms."""

    kind: Literal["adamw", "muon"] = "adamw"  # muon: for the hidden matrices; the rest is AdamW's
    lr: float = Field(1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.95)  # of AdamW
    momentum: float = Field(0.95, ge=0, lt=1)  # of Muon
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0)  # of the gradient's norm
    ema: float = Field(0.999, ge=0, lt=1)  # decay of the averaged weights, which are those that draw
    ema_on: Literal["device", "cpu"] = "device"  # where the averaged weights are kept


def optimizers(model: nn.Module, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon before it where it is asked for. Frozen weights are left out."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    hidden = [p for name, p in trained if config.kind == "muon" and is_hidden_matrix(name, p)]
    ours = {id(p) for p in hidden}
    rest = adamw([p for _, p in trained if id(p) not in ours], config)
    return [Muon(hidden, config.lr, config.momentum, config.weight_decay), rest] if hidden else [rest]


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter maps a stream onto itself: the matrices of a block's attention and MLPs."""
    within = name.split(".")
    inside = any(part in ("transformer_blocks", "layers") for part in within)
    return inside and parameter.ndim == 2 and not any(part.endswith("_mod") for part in within)


def adamw(parameters: Iterable[nn.Parameter], config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices, and leaves biases and norms alone.

    Parameters that lie on different meshes of processes get groups of their own, since one fused step takes one mesh.
    """
    groups: dict[tuple[object, float], list[nn.Parameter]] = {}
    for parameter in parameters:
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        groups.setdefault((mesh, config.weight_decay if parameter.ndim >= 2 else 0.0), []).append(parameter)
    device = next(iter(groups.values()))[0].device.type
    return torch.optim.AdamW(
        [{"params": members, "weight_decay": decay} for (_, decay), members in groups.items()],
        lr=config.lr,
        betas=config.betas,
        fused=device != "mps",
    )


class Muon(torch.optim.Optimizer):
    """Momentum, Nesterov's look ahead, orthogonalised; for matrices only."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """`closure` is of torch's interface, and not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(momentum, group["momentum"])
                scale = 0.2 * math.sqrt(max(parameter.shape))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(_orthogonal(update), alpha=-group["lr"] * scale)


def newton_schulz(matrix: Tensor, iterations: int = 5) -> Tensor:
    """About the nearest semi-orthogonal matrix to (rows, columns): same singular vectors, values near 1 (0.7–1.2)."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.to(torch.bfloat16 if matrix.device.type == "cuda" else torch.float32)
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x if wide else x.T).to(matrix.dtype)


def _orthogonal(update: Tensor) -> Tensor:
    """The same for a matrix of which this process may hold a part."""
    if not isinstance(update, DTensor):
        return newton_schulz(update)
    whole = newton_schulz(update.full_tensor())
    return distribute_tensor(whole, update.device_mesh, update.placements, src_data_rank=None)
