"""What a step descends: the velocity's error of some samples, at the noise and noise levels that chance has for them.

Chance is drawn for (seed, step, place in the global batch). So a sample meets the same noise whether its batch passes
at once or in parts, in one process or in several.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dataengine.device import autocast
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.data import Batch
from dataengine.trainer.flow import chance, flow_loss, loss_weight, noised, training_sigma
from dataengine.trainer.patchify import Size
from dataengine.trainer.text_to_image import Condition, TextToImage


@dataclass(frozen=True)
class Errors:
    """Of samples that passed together; each (B,), on the device."""

    plain: Tensor  # mean squared error of the velocity
    weighted: Tensor  # the same as it counts in the loss
    sigma: Tensor
    text: Tensor  # tokens of the caption
    image: tuple[int, ...]  # tokens of the picture


class Objective:
    """The errors of a model on batches, computed in `dtype`."""

    def __init__(self, model: TextToImage, dtype: torch.dtype) -> None:
        self.model, self.dtype = model, dtype
        self._generator = torch.Generator(model.device)

    def __call__(self, batch: Batch, part: range, settings: TrainConfig, step: int) -> Errors:
        """Those of the samples `part` of a batch, in the `step`-th step."""
        lots = [chance(settings.seed, step, batch.index[at]) for at in part]
        dropped = [lot.random() < settings.caption_dropout for lot in lots]
        uniform = torch.tensor([lot.random() for lot in lots], dtype=torch.float64)
        clean = self.tokens(batch, part)
        counts = tuple(len(tokens) for tokens in clean)
        sigma = training_sigma(uniform, counts, settings.flow).to(self.model.device)
        noise = [self._noise(lot.getrandbits(63), tokens) for lot, tokens in zip(lots, clean, strict=True)]
        captions = ["" if drop else batch.captions[at] for drop, at in zip(dropped, part, strict=True)]
        states = [None if drop else batch.states[at] for drop, at in zip(dropped, part, strict=True)]
        sizes = [batch.sizes[at] for at in part]
        with autocast(sigma.device, self.dtype):
            condition = self.model.condition(captions, states)
            plain = self._errors(clean, noise, sigma, condition, sizes)
        kept, mask = condition
        return Errors(
            plain=plain.detach(),
            weighted=loss_weight(sigma, settings.flow) * plain,
            sigma=sigma,
            text=torch.full_like(sigma, kept.shape[1]) if mask is None else mask.sum(1),
            image=counts,
        )

    def tokens(self, batch: Batch, part: range) -> list[Tensor]:
        """(N, C) of each picture, clean."""
        if batch.latents is None:
            return list(self.model.tokens(batch.pixels[part.start : part.stop]))
        return list(self.model.packed(batch.latents[part.start : part.stop]))

    def _errors(
        self, clean: list[Tensor], noise: list[Tensor], sigma: Tensor, condition: Condition, sizes: list[Size]
    ) -> Tensor:
        if len(set(sizes)) == 1:
            whole, drawn = torch.stack(clean), torch.stack(noise)
            return flow_loss(self.model(noised(whole, drawn, sigma), sigma, condition, sizes[0]), whole, drawn)
        pairs = [(c[None], n[None]) for c, n in zip(clean, noise, strict=True)]
        noisy = [noised(*pair, level)[0] for pair, level in zip(pairs, sigma.split(1), strict=True)]
        predicted = self.model(noisy, sigma, condition, sizes)
        return torch.cat([flow_loss(one[None], *pair) for one, pair in zip(predicted, pairs, strict=True)])

    def _noise(self, seed: int, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self._generator.manual_seed(seed), device=like.device)
