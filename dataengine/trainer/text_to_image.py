"""The model that is trained: captions and noisy pictures in, the velocity of the pictures out.

It joins the condition encoder and the transformer, and is the one place that knows how pictures become tokens. A batch
has one size here, so positions are computed once and broadcast over it.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from dataengine.trainer.mmdit import MMDiT, MMDiTConfig
from dataengine.trainer.patchify import Size, patchify, to_pixels, to_signal, unpatchify
from dataengine.trainer.rope import joint_positions
from dataengine.trainer.text import ByteEncoder, TextConfig

COLOURS = 3


class TextToImage(nn.Module):
    """`transformer` and `text` are saved apart, so that the transformer's file is one that diffusers reads."""

    def __init__(self, transformer: MMDiTConfig, text: TextConfig, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.token_channels = COLOURS * patch * patch
        self.text = ByteEncoder(text)
        self.transformer = MMDiT(transformer, self.token_channels, text.width)

    def forward(self, tokens: Tensor, sigma: Tensor, captions: Sequence[str], size: Size) -> Tensor:
        """tokens (B, N, C) at noise levels sigma (B,), of pictures of `size` → velocity (B, N, C)."""
        states, mask = self.text(captions)
        grid = (1, size[0] // self.patch, size[1] // self.patch)
        positions = joint_positions([[grid]], states.shape[1]).to(tokens.device)
        return self.transformer(tokens, states, sigma, positions, text_mask=mask)

    def tokens(self, pixels: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) → (B, N, C) in −1 … 1."""
        return patchify(to_signal(pixels), self.patch)

    def pixels(self, tokens: Tensor, size: Size) -> Tensor:
        """The inverse of `tokens`."""
        return to_pixels(unpatchify(tokens, size, self.patch))
