"""The loss on pictures that were not trained on, at fixed noise and noise levels: comparable between any two models of
the same tokens, and between any two steps of one.

Noise levels are the middles of equal parts of 0 to 1, each picture at each of them, so that no level is missed by
chance. The noise of a picture depends on its place alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from dataengine.trainer.flow import flow_loss, noised
from dataengine.trainer.patchify import Size
from dataengine.trainer.text_to_image import Condition, TextToImage


@dataclass(frozen=True)
class HeldOut:
    """The mean squared error of the velocity, as a whole and at each noise level."""

    loss: float
    by_sigma: dict[float, float]
    pictures: int


@torch.no_grad()
def held_out_loss(
    model: TextToImage, batches: Iterable[tuple[Tensor, Condition, Size]], levels: int = 8, seed: int = 0
) -> HeldOut:
    """batches: clean tokens (B, N, C), the condition of each, and their one size (height, width)."""
    sigmas = [(level + 0.5) / levels for level in range(levels)]
    sums = dict.fromkeys(sigmas, 0.0)
    pictures = 0
    for clean, condition, size in batches:
        noise = torch.stack([_noise(seed + pictures + place, clean[0]) for place in range(len(clean))]).to(clean.device)
        for sigma in sigmas:
            level = torch.full((len(clean),), sigma, device=clean.device)
            predicted = model(noised(clean, noise, level), level, condition, size)
            sums[sigma] += float(flow_loss(predicted, clean, noise).sum())
        pictures += len(clean)
    if not pictures:
        raise ValueError("no pictures to take the loss of")
    by_sigma = {sigma: total / pictures for sigma, total in sums.items()}
    return HeldOut(sum(by_sigma.values()) / levels, by_sigma, pictures)


def _noise(seed: int, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(like.shape, generator=generator)
