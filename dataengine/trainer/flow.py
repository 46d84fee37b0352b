"""Rectified flow: what the model learns, at which noise levels, and how a picture is drawn from noise.

The one convention, which is diffusers': sigma in 0–1 is the noise level, x_sigma = (1 − sigma) · clean + sigma · noise,
and the model predicts the velocity d x / d sigma = noise − clean. Drawing goes from sigma 1 to 0. (The Qwen-Image
report writes t = 1 − sigma and the opposite sign.)

Larger pictures need more noise to be destroyed, so noise levels are shifted upwards with the number of tokens, in
training and drawing alike, with the constants of the released scheduler.

Which levels training visits is drawn by inverting a distribution: a uniform number in, a level out. So chance is one
number a sample, and it is the caller's to say where that comes from.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dataengine.config import Config


class FlowConfig(Config):
    """Noise levels and the weight of each. The shift's exponent grows linearly with the tokens of the picture."""

    timesteps: Literal["logit-normal", "uniform", "mode"] = "logit-normal"  # how training draws sigma, before the shift
    mean: float = 0.0  # of the logit-normal
    deviation: float = Field(1.0, gt=0)
    mode_scale: float = Field(1.29, ge=-1, le=2 / (math.pi - 2))  # above 0 favours the middle, below it the ends
    weighting: Literal["none", "cosmap", "min-snr"] = "none"  # of the loss, by sigma
    snr_cap: float = Field(5.0, gt=0)  # of min-snr
    shift: float | None = None  # the exponent for pictures of all sizes, instead of one that grows with them
    base_tokens: int = 256
    max_tokens: int = 8192
    base_shift: float = 0.5  # at base_tokens
    max_shift: float = 0.9  # at max_tokens
    terminal: float = Field(0.02, ge=0, lt=1)  # the last noise level that drawing visits before 0

    def exponent(self, tokens: int) -> float:
        """mu: the shift for a picture of so many tokens."""
        if self.shift is not None:
            return self.shift
        slope = (self.max_shift - self.base_shift) / (self.max_tokens - self.base_tokens)
        return self.base_shift + slope * (tokens - self.base_tokens)


def chance(seed: int, step: int, index: int) -> random.Random:
    """What decides about one sample: a function of its place in the global batch of a step, and of nothing else. So
    cutting a batch into parts, or sharing it among processes, changes no step."""
    return random.Random(f"{seed}/{step}/{index}")


def noised(clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """x_sigma on the straight line between both. clean, noise (B, N, C); sigma (B,), one a sample."""
    level = sigma[:, None, None]
    return (1 - level) * clean + level * noise


def velocity(clean: Tensor, noise: Tensor) -> Tensor:
    """The target: the same at every sigma, since the line is straight."""
    return noise - clean


def shift(sigma: Tensor, mu: float | Tensor) -> Tensor:
    """Move noise levels towards 1: odds sigma / (1 − sigma) are multiplied by e^mu. 0 and 1 stay."""
    factor = mu.exp() if isinstance(mu, Tensor) else math.exp(mu)
    return factor * sigma / (1 + (factor - 1) * sigma)


def training_sigma(uniform: Tensor, tokens: Sequence[int], config: FlowConfig) -> Tensor:
    """(B,) noise levels for training from uniform numbers (B,) in 0–1, each shifted for the tokens of its picture.

    The logit-normal and `mode`, u ↦ 1 − u − s · (cos²(πu/2) − 1 + u), are those of Stable Diffusion 3 (arXiv
    2403.03206, section 3.1), which found the logit-normal of mean 0 and deviation 1 best.
    """
    uniform = uniform.double()
    if config.timesteps == "uniform":
        sigma = uniform
    elif config.timesteps == "mode":
        sigma = 1 - uniform - config.mode_scale * ((math.pi / 2 * uniform).cos() ** 2 - 1 + uniform)
    else:
        sigma = torch.sigmoid(config.mean + config.deviation * torch.special.ndtri(uniform))
    exponents = torch.tensor([config.exponent(count) for count in tokens], dtype=torch.float64)
    return shift(sigma, exponents).clamp(0, 1).float()


def loss_weight(sigma: Tensor, config: FlowConfig) -> Tensor:
    """The weight (B,) of the velocity's squared error at each noise level.

    cosmap: 2 / (π · (1 − 2σ + 2σ²)), which on uniform levels counts each signal-to-noise ratio as the cosine schedule
    does (arXiv 2403.03206, section 3.1). min-snr: min(SNR, cap) on the error of the clean picture (arXiv 2303.09556);
    here SNR = (1 − σ)² / σ², and that error is σ² times the velocity's, which makes min((1 − σ)², cap · σ²).
    """
    if config.weighting == "cosmap":
        return 2 / (math.pi * (1 - 2 * sigma + 2 * sigma**2))
    if config.weighting == "min-snr":
        return torch.minimum((1 - sigma) ** 2, config.snr_cap * sigma**2)
    return torch.ones_like(sigma)


def flow_loss(predicted: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """(B,) mean squared errors of the velocity, one a sample, in fp32."""
    return (predicted.float() - velocity(clean, noise).float()).square().flatten(1).mean(1)


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


Predict = Callable[[Tensor, Tensor], Tensor]
"""Tokens (B, N, C) at noise levels (B,) → their velocity."""


def euler(predict: Predict, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Follow the velocity from noise (B, N, C) to a clean picture; one call a step."""
    x = noise.float()
    for now, following in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        x = x + (following - now) * _at(predict, x, now)
    return x


def heun(predict: Predict, noise: Tensor, sigmas: Tensor) -> Tensor:
    """The same by Heun's method, of second order: a step goes by the mean of the velocities at its two ends. Two calls
    a step, save the last, whose end has no noise and thus nothing to say of it."""
    x = noise.float()
    for now, following in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        first = _at(predict, x, now)
        ahead = x + (following - now) * first
        x = ahead if following == 0 else x + (following - now) * (first + _at(predict, ahead, following)) / 2
    return x


SOLVERS = {"euler": euler, "heun": heun}


def _at(predict: Predict, x: Tensor, sigma: float) -> Tensor:
    return predict(x, torch.full((x.shape[0],), sigma, device=x.device)).float()
