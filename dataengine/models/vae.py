"""What stands between pixels and the transformer: an autoencoder that stays as it is, or nothing.

`Autoencoder` is one of diffusers: `AutoencoderKLQwenImage`, which sees a picture as a film of one frame and whose
latents are normalised by a mean and a deviation per channel, or any `AutoencoderKL`, by one shift and one factor.
`Pixels` leaves pictures as they are and needs no weights. Latents come out normalised, as the transformer reads them;
packing them into tokens is the trainer's.

Weights come by hub name or from a local path. `missing` says, without loading anything, what is not there.

Cost: the Qwen-Image autoencoder has 127 M parameters; its encoder takes about 1 TFLOP a picture of 1024 × 1024.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dataengine.config import Config
from dataengine.errors import StageError
from dataengine.models import hub

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DRAWN = "-drawn"
"""Ends the fingerprint of latents that are draws from what the autoencoder gives."""

_REMEDY = "give a path: `model: <folder saved by save_pretrained>`"
_PART = "vae"


class PixelsConfig(Config):
    """The pixels themselves, `patch` a side of one token."""

    kind: Literal["pixels"] = "pixels"
    patch: int = Field(8, ge=1)

    @property
    def channels(self) -> int:
        return 3

    @property
    def factor(self) -> int:
        return 1


class AutoencoderConfig(Config):
    """An autoencoder. `model` is a name on the hub or a folder, of the autoencoder itself or of a pipeline that has it.

    `channels` of a latent and `factor`, pixels a side of one, are checked when the model is loaded: whoever trains on
    latents at rest need not load it."""

    kind: Literal["autoencoder"] = "autoencoder"
    model: str = "Qwen/Qwen-Image"
    channels: int = Field(16, ge=1)
    factor: int = Field(8, ge=1)
    patch: int = Field(2, ge=1)  # latents a side of one token


ImageConfig = PixelsConfig | AutoencoderConfig


def missing(config: ImageConfig) -> StageError | None:
    """Why the autoencoder could not be loaded, as far as that can be told at once."""
    if isinstance(config, PixelsConfig):
        return None
    if not_installed := hub.not_installed(config.model, "torch", "diffusers"):
        return not_installed
    model, part = hub.located(config.model, _PART)
    return hub.missing(f"the weights of {config.model}", None if Path(model).is_dir() else model, "model", part=part)


def fingerprint(config: ImageConfig) -> str:
    """What decides the latents: the kind and the weights, not where these lie nor how latents are packed."""
    if isinstance(config, PixelsConfig):
        return config.kind
    return hub.fingerprint({"kind": config.kind}, *hub.located(config.model, _PART))


def load(config: ImageConfig, device: "torch.device") -> "Pixels | Autoencoder":
    """What turns pictures into latents on a device. Raises StageError with what to install or fetch."""
    if fault := missing(config):
        raise fault
    return Pixels() if isinstance(config, PixelsConfig) else Autoencoder(config, device)


class Pixels:
    """No autoencoder. Latents are the signal itself."""

    def encode(self, signal: "Tensor", generators: "Sequence[torch.Generator] | None" = None) -> "Tensor":
        return signal

    def decode(self, latents: "Tensor") -> "Tensor":
        return latents


class Autoencoder:
    """Pictures into normalised latents and back: bfloat16 on CUDA, float32 elsewhere. It is not trained."""

    def __init__(self, config: AutoencoderConfig, device: "torch.device") -> None:
        import diffusers
        import torch

        from dataengine.device import choose_dtype

        model, part = hub.located(config.model, _PART)
        dtype = choose_dtype("auto", device)
        with hub.loading(config.model, _REMEDY):
            self._model = diffusers.AutoModel.from_pretrained(
                model, subfolder=part, torch_dtype=dtype, low_cpu_mem_usage=False
            )
        self._model.to(device).eval().requires_grad_(False)
        known = self._model.config
        self._film = "latents_mean" in known and known.get("z_dim") is not None  # of one frame: (B, C, 1, H, W)
        channels = known.z_dim if self._film else known.latent_channels
        factor = 2 ** (len(known.dim_mult if self._film else known.block_out_channels) - 1)
        if (channels, factor) != (config.channels, config.factor):
            raise StageError(
                f"{config.model}: its latents have {channels} channels and a factor of {factor}, not {config.channels} "
                f"and {config.factor}",
                f"set `image.channels` to {channels} and `image.factor` to {factor}",
            )
        if self._film:
            mean, deviation = known.latents_mean, known.latents_std
        else:
            mean, deviation = [known.shift_factor or 0.0], [1 / known.scaling_factor]
        self._mean, self._deviation = (
            torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (mean, deviation)
        )

    def encode(self, signal: "Tensor", generators: "Sequence[torch.Generator] | None" = None) -> "Tensor":
        """signal (B, 3, H, W) in −1 … 1 → latents (B, channels, H / factor, W / factor), float32.

        The mode of what the encoder gives, or with a generator a picture a draw from it."""
        import torch

        with torch.no_grad(), torch.autocast(signal.device.type, enabled=False):
            pixels = signal.to(self._model.dtype)
            given = self._model.encode(pixels.unsqueeze(2) if self._film else pixels).latent_dist
            raw = given.mode().float()
            if generators is not None:
                noise = [torch.randn(raw.shape[1:], generator=one, device=one.device) for one in generators]
                raw = raw + given.std.float() * torch.stack(noise).to(raw.device)
        return ((raw.squeeze(2) if self._film else raw) - self._mean) / self._deviation

    def decode(self, latents: "Tensor") -> "Tensor":
        """The inverse of `encode`, as near as the autoencoder comes to it."""
        import torch

        with torch.no_grad(), torch.autocast(latents.device.type, enabled=False):
            raw = (latents.float() * self._deviation + self._mean).to(self._model.dtype)
            pixels = self._model.decode(raw.unsqueeze(2) if self._film else raw).sample
        return (pixels.squeeze(2) if self._film else pixels).float()
