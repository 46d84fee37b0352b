"""The model that is trained: text conditions and noisy pictures in, the velocity of the pictures out.

It joins the condition encoder and the transformer, and is the one place that knows how pictures become tokens. A batch
has one size here, so positions are computed once and broadcast over it.
"""

from collections.abc import Sequence

from pydantic import Field
from torch import Tensor, nn

from dataengine.config import Config
from dataengine.trainer.mmdit import MMDiT, MMDiTConfig
from dataengine.trainer.patchify import Size, patchify, to_pixels, to_signal, unpatchify
from dataengine.trainer.rope import joint_positions
from dataengine.trainer.text import ByteEncoder, TextConfig

COLOURS = 3

Condition = tuple[Tensor, Tensor | None]
"""States (B, T, channels), and the mask (B, T) of real ones; None when all are."""


class ModelConfig(Config):
    """All that decides the shapes of the weights."""

    patch: int = Field(8, ge=1)  # pixels a side of one token
    transformer: MMDiTConfig = MMDiTConfig()
    text: TextConfig = TextConfig()


class TextToImage(nn.Module):
    """Weights under `transformer.` have the released model's names; those under `text.` are the byte encoder's."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch = config.patch
        self.text = ByteEncoder(config.text)
        self.transformer = MMDiT(config.transformer, COLOURS * config.patch**2, config.text.width)

    def encode(self, captions: Sequence[str]) -> Condition:
        """The condition of each caption. Drawing needs it once, not once a step."""
        return self.text(captions)

    def forward(self, tokens: Tensor, sigma: Tensor, condition: Condition, size: Size) -> Tensor:
        """tokens (B, N, C) at noise levels sigma (B,), of pictures of `size` → velocity (B, N, C)."""
        states, mask = condition
        grid = (1, size[0] // self.patch, size[1] // self.patch)
        positions = joint_positions([[grid]], states.shape[1]).to(tokens.device)
        return self.transformer(tokens, states, sigma, positions, text_mask=mask)

    def tokens(self, pixels: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) → (B, N, C) in −1 … 1."""
        return patchify(to_signal(pixels), self.patch)

    def pixels(self, tokens: Tensor, size: Size) -> Tensor:
        """The inverse of `tokens`."""
        return to_pixels(unpatchify(tokens, size, self.patch))
