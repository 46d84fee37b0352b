"""Rectified flow: what the model learns, at which noise levels, and how a picture is drawn from noise.

The one convention, which is diffusers': sigma in 0–1 is the noise level, x_sigma = (1 − sigma) · clean + sigma · noise,
and the model predicts the velocity d x / d sigma = noise − clean. Drawing goes from sigma 1 to 0. (The Qwen-Image
report writes t = 1 − sigma and the opposite sign.)

Larger pictures need more noise to be destroyed, so noise levels are shifted upwards with the number of tokens, in
training and drawing alike, with the constants of the released scheduler.
"""

import math
from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from dataengine.config import Config


class FlowConfig(Config):
    """Noise levels. The shift's exponent grows linearly with the tokens of the picture."""

    mean: float = 0.0  # of the logit-normal from which training draws sigma
    deviation: float = Field(1.0, gt=0)
    base_tokens: int = 256
    max_tokens: int = 8192
    base_shift: float = 0.5  # at base_tokens
    max_shift: float = 0.9  # at max_tokens
    terminal: float = Field(0.02, ge=0, lt=1)  # the last noise level that drawing visits before 0

    def exponent(self, tokens: int) -> float:
        """mu: the shift for a picture of so many tokens."""
        slope = (self.max_shift - self.base_shift) / (self.max_tokens - self.base_tokens)
        return self.base_shift + slope * (tokens - self.base_tokens)


def noised(clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """x_sigma on the straight line between both. clean, noise (B, N, C); sigma (B,), one a sample."""
    level = sigma[:, None, None]
    return (1 - level) * clean + level * noise


def velocity(clean: Tensor, noise: Tensor) -> Tensor:
    """The target: the same at every sigma, since the line is straight."""
    return noise - clean


def shift(sigma: Tensor, mu: float) -> Tensor:
    """Move noise levels towards 1: odds sigma / (1 − sigma) are multiplied by e^mu. 0 and 1 stay."""
    factor = math.exp(mu)
    return factor * sigma / (1 + (factor - 1) * sigma)


def draw_sigma(batch: int, tokens: int, config: FlowConfig, generator: torch.Generator) -> Tensor:
    """(batch,) training noise levels: logit-normal, shifted for the size of the picture."""
    normal = torch.randn(batch, generator=generator, device=generator.device)
    return shift(torch.sigmoid(config.mean + config.deviation * normal), config.exponent(tokens))


def flow_loss(predicted: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of the velocity, in fp32."""
    return torch.nn.functional.mse_loss(predicted.float(), velocity(clean, noise).float())


def sigma_schedule(steps: int, tokens: int, config: FlowConfig) -> Tensor:
    """(steps + 1,) falling noise levels: an even grid from 1, shifted, stretched to end at `terminal`, and then 0."""
    sigmas = shift(torch.linspace(1, 1 / steps, steps, dtype=torch.float64), config.exponent(tokens))
    if steps > 1 and config.terminal:
        sigmas = 1 - (1 - sigmas) * (1 - config.terminal) / (1 - sigmas[-1])
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def guide(positive: Tensor, negative: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance whose result keeps each token's length: direction is amplified, contrast is not."""
    guided = negative + scale * (positive - negative)
    return guided * (positive.norm(dim=-1, keepdim=True) / guided.norm(dim=-1, keepdim=True).clamp_min(1e-12))


def euler(predict: Callable[[Tensor, Tensor], Tensor], noise: Tensor, sigmas: Tensor) -> Tensor:
    """Follow the velocity from noise (B, N, C) to a clean picture. `predict(x, sigma (B,))` is called once a step."""
    x = noise.float()
    for now, following in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        level = torch.full((x.shape[0],), now, device=x.device)
        x = x + (following - now) * predict(x, level).float()
    return x
