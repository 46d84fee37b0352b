"""The exponential moving average of the weights: what draws pictures, while the weights themselves go on learning.

The decay warms up, so that the average forgets the random start: min(decay, (1 + step) / (10 + step)). It costs a
second copy of the weights in fp32, of which each process holds its part; on the CPU, if asked, where a step then brings
the weights.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from dataengine.trainer.distributed import local, sharded_like


class EMA:
    """Averaged weights by parameter name."""

    def __init__(
        self, model: nn.Module, decay: float, device: torch.device | None = None, mesh: DeviceMesh | None = None
    ) -> None:
        """`device` is where the average is kept, with `mesh` of the processes there; None is where the weights are."""
        self.decay = decay
        self._parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._own = {name: local(p.detach()) for name, p in self._parameters.items()}
        self._average = {name: p.to(device or p.device, copy=True) for name, p in self._own.items()}
        self.weights: dict[str, Tensor] = sharded_like(self._average, self._parameters, mesh)

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        average = list(self._average.values())
        own = [p.to(a.device) for p, a in zip(self._own.values(), average, strict=True)]
        torch._foreach_lerp_(average, own, 1 - decay)

    @contextmanager
    def applied(self) -> Generator[None]:
        """The model has the averaged weights inside, and its own again afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for own, average in zip(self._own.values(), self._average.values(), strict=True):
            kept = own.clone()
            own.copy_(average)
            average.copy_(kept)
