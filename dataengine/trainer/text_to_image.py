"""The model that is trained: text conditions and noisy pictures in, the velocity of the pictures out.

It joins what makes conditions of captions, what makes latents of pictures, and the transformer, and is the one place
that knows how pictures become tokens. The byte encoder is trained along and part of the weights. Pretrained encoders
stay as they are: they are loaded when first asked for, so that training on latents at rest never loads them, and are
neither among the parameters nor in a checkpoint.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from dataengine.config import Config
from dataengine.errors import ManifestError, StageError
from dataengine.models import text_encoder, vae
from dataengine.models.text_encoder import QwenConfig, SentenceConfig
from dataengine.models.vae import AutoencoderConfig, PixelsConfig
from dataengine.trainer.mmdit import MMDiT, MMDiTConfig
from dataengine.trainer.patchify import Size, patchify, to_pixels, to_signal, unpatchify
from dataengine.trainer.rope import Grid, joint_positions
from dataengine.trainer.sizes import Transformer
from dataengine.trainer.text import ByteEncoder, TextConfig

log = logging.getLogger(__name__)

Condition = tuple[Tensor, Tensor | None]
"""States (B, T, channels), and the mask (B, T) of real ones; None when all are."""


class ModelConfig(Config):
    """All that decides the shapes of the weights. `patch` alone stands for `image: {kind: pixels, patch: …}`; `text`
    without a `kind` is the byte encoder."""

    image: Annotated[PixelsConfig | AutoencoderConfig, Field(discriminator="kind")] = PixelsConfig()
    text: Annotated[TextConfig | QwenConfig | SentenceConfig, Field(discriminator="kind")] = TextConfig()
    transformer: Transformer = MMDiTConfig()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "patch" in data:
            if "image" in data:
                raise ValueError("`patch` stands within `image` where there is one")
            data["image"] = {"kind": "pixels", "patch": data.pop("patch")}
        for key, kind in (("image", "pixels"), ("text", "bytes")):
            if isinstance(data.get(key), dict):
                data[key] = {"kind": kind, **data[key]}
        return data

    @property
    def patch(self) -> int:
        """Pixels a side of one token: what the sides of a picture are multiples of."""
        return self.image.factor * self.image.patch

    @property
    def token_channels(self) -> int:
        return self.image.channels * self.image.patch**2


class TextToImage(nn.Module):
    """Weights under `transformer.` have the released model's names; those under `text.` are the byte encoder's."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.patch = config.patch
        self.text = ByteEncoder(config.text) if isinstance(config.text, TextConfig) else None
        self.empty: Tensor | None = None  # states of the empty caption, where latents at rest have brought them along
        self.transformer = MMDiT(config.transformer, config.token_channels, config.text.channels)

    def initialise(self) -> None:
        """Every weight anew, from torch's generator: of a model whose weights have no memory yet, the first ones."""
        if self.text is not None:
            self.text.initialise()
        self.transformer.initialise()

    def encode(self, captions: Sequence[str]) -> Condition:
        """The condition of each caption. Drawing needs it once, not once a step."""
        if self.text is not None:
            return self.text(captions)
        return padded(self._text_encoder(captions))

    def condition(self, captions: Sequence[str], states: Sequence[Tensor | None]) -> Condition:
        """`encode`, but of states at rest where a caption has them: bfloat16 (T, channels), else None.

        The empty caption takes `empty` where that is set, so that guidance needs no encoder at hand either."""
        known = [self.empty if own is None and not said else own for said, own in zip(captions, states, strict=True)]
        left = [said for said, own in zip(captions, known, strict=True) if own is None]
        if self.text is not None or len(left) == len(captions):
            return self.encode(captions)
        made = iter(self._text_encoder(left) if left else ())
        return padded([next(made) if own is None else own.to(self.device, torch.float32) for own in known])

    def forward(
        self, tokens: Tensor | Sequence[Tensor], sigma: Tensor, condition: Condition, sizes: Size | Sequence[Size]
    ) -> Tensor | list[Tensor]:
        """Tokens at noise levels sigma (B,) → velocity, shaped as the tokens.

        Pictures of one size: tokens (B, N, C), and `sizes` is its height and width in pixels. Of several: tokens (N, C)
        and a size of each.
        """
        states, mask = condition
        if isinstance(tokens, Tensor):
            positions = joint_positions([[self._grid(sizes)]], states.shape[1]).to(tokens.device)
            return self.transformer(tokens, states, sigma, positions, text_mask=mask)
        positions = joint_positions([[self._grid(size)] for size in sizes], states.shape[1]).to(sigma.device)
        image, image_mask = padded(tokens)
        velocity = self.transformer(image, states, sigma, positions, text_mask=mask, image_mask=image_mask)
        return [row[: len(own)] for row, own in zip(velocity, tokens, strict=True)]

    def tokens(self, pixels: Tensor | Sequence[Tensor]) -> Tensor | list[Tensor]:
        """uint8 (B, 3, H, W) → (B, N, C); of pictures of several sizes (3, H, W) each → (N, C) each."""
        if not isinstance(pixels, Tensor):
            return [self.tokens(one[None])[0] for one in pixels]
        return self.packed(self._image_encoder.encode(to_signal(pixels.to(self.device))))

    def packed(self, latents: Tensor | Sequence[Tensor]) -> Tensor | list[Tensor]:
        """Latents as they stand at rest, (B, channels, h, w) → (B, N, C), in fp32; of several sizes likewise."""
        if not isinstance(latents, Tensor):
            return [self.packed(one[None])[0] for one in latents]
        return patchify(latents.to(self.device, torch.float32), self.config.image.patch)

    def pixels(self, tokens: Tensor, size: Size) -> Tensor:
        """Clean tokens of pictures of `size` → uint8 (B, 3, H, W)."""
        factor = self.config.image.factor
        latents = unpatchify(tokens, (size[0] // factor, size[1] // factor), self.config.image.patch)
        return to_pixels(self._image_encoder.decode(latents))

    @property
    def device(self) -> torch.device:
        return self.transformer.proj_out.weight.device

    @cached_property
    def _text_encoder(self) -> text_encoder.TextEncoder:
        return text_encoder.load(self.config.text, self.device)

    @cached_property
    def _image_encoder(self) -> vae.Pixels | vae.Autoencoder:
        return vae.load(self.config.image, self.device)

    def _grid(self, size: Size) -> Grid:
        return 1, size[0] // self.patch, size[1] // self.patch


def check_encoders(config: ModelConfig, encoders: Mapping[str, str]) -> None:
    """Raise ManifestError when latents at rest were made by other encoders than the model's.

    `encoders` has their fingerprints, `image_encoder` and `text_encoder`. A model whose encoders are not at hand trains
    all the same, with a warning that this could not be checked."""
    sides: dict[str, Callable[[], str]] = {"image_encoder": lambda: vae.fingerprint(config.image)}
    if not isinstance(config.text, TextConfig) and encoders.get("text_encoder") != text_encoder.CAPTIONS_ONLY:
        sides["text_encoder"] = lambda: text_encoder.fingerprint(config.text)
    for side, fingerprint in sides.items():
        try:
            own = fingerprint()
        except StageError as error:
            log.warning("whether the latents' %s is the model's cannot be told: %s", side, error.message)
            continue
        if (found := encoders.get(side, own).removesuffix(vae.DRAWN)) != own:
            key = side.removesuffix("_encoder")
            raise ManifestError(
                f"the latents were made by the {side} {found}, and model.{key} is {own}",
                f"set model.{key} to what encoded them, or encode the shards with it",
            )


def padded(rows: Sequence[Tensor]) -> Condition:
    """Rows (length, channels) of any lengths in one tensor (B, longest, channels), filled up with zeros at the end, and
    the mask (B, longest) of what is real; None when all are equally long."""
    lengths = torch.tensor([len(row) for row in rows])
    states = pad_sequence(list(rows), batch_first=True)
    if (lengths == states.shape[1]).all():
        return states, None
    return states, (torch.arange(states.shape[1]) < lengths[:, None]).to(states.device)
