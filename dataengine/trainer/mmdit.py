"""The MMDiT of Qwen-Image: two streams, image and text, each with its own weights, that meet in joint attention.

Parameter names and numerics are those of diffusers' `QwenImageTransformer2DModel`, so weights pass between the two
unchanged. What differs is around them: positions are given per sample, so that a batch may hold several shapes; masks
are always applied; the modulations and the head start at zero, so that every block starts as the identity.

Cost: 36 · width² parameters a block, a third of them in the modulations, which are applied to one vector a sample and
so take next to no time. Forward costs 12 · width² multiply-adds a token and block, and attention on top.

The last block's text output is computed and goes nowhere: its `to_add_out` and `txt_mlp` get no gradient, in the
released model as here.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from dataengine.config import Config
from dataengine.trainer.rope import Rotation, rotate, rotation

EPSILON = 1e-6
TIMESTEP_CHANNELS = 256


class MMDiTConfig(Config):
    """The size of the transformer. The released model: 60 layers, 24 heads, axes 16 + 56 + 56."""

    layers: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    axes: tuple[int, int, int] = (4, 14, 14)  # channels of a head turned by frame, row and column

    @field_validator("axes")
    @classmethod
    def _even(cls, axes: tuple[int, int, int]) -> tuple[int, int, int]:
        if any(size < 2 or size % 2 for size in axes):
            raise ValueError(f"each of the three must be even and positive: rope turns pairs of channels, not {axes}")
        return axes

    @property
    def head_channels(self) -> int:
        return sum(self.axes)

    @property
    def width(self) -> int:
        return self.heads * self.head_channels


class MMDiT(nn.Module):
    """Velocity of image tokens, given text states and the noise level."""

    def __init__(self, config: MMDiTConfig, token_channels: int, text_channels: int) -> None:
        super().__init__()
        self.axes = config.axes
        width = config.width
        self.img_in = nn.Linear(token_channels, width)
        self.txt_norm = RMSNorm(text_channels)
        self.txt_in = nn.Linear(text_channels, width)
        self.time_text_embed = TimestepEmbedding(width)
        self.transformer_blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.norm_out = ModulatedNorm(width)
        self.proj_out = nn.Linear(width, token_channels)
        self.initialise()

    def initialise(self) -> None:
        """Every weight anew. Xavier for the linear layers; zero for every modulation and for the head."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, RMSNorm):
                nn.init.ones_(module.weight)
        for block in self.transformer_blocks:
            nn.init.zeros_(block.img_mod[1].weight)
            nn.init.zeros_(block.txt_mod[1].weight)
        nn.init.zeros_(self.norm_out.linear.weight)
        nn.init.zeros_(self.proj_out.weight)

    def forward(
        self,
        image: Tensor,
        text: Tensor,
        sigma: Tensor,
        positions: Tensor,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """image (B, N, token_channels), text (B, T, text_channels), sigma (B,) in 0–1 → velocity, shaped as `image`.

        positions (B or 1, T + N, 3), text first. Masks (B, T) and (B, N) are True where a token is real; None says
        that all are, and lets attention take its fastest path.
        """
        turn = rotation(positions, self.axes)
        key_mask = _joint_mask(image, text, text_mask, image_mask)
        time = self.time_text_embed(sigma)
        image = self.img_in(image)
        text = self.txt_in(self.txt_norm(text))
        for block in self.transformer_blocks:
            image, text = block(image, text, time, turn, key_mask)
        return self.proj_out(self.norm_out(image, time))


class Block(nn.Module):
    """One double-stream block: joint attention, then an MLP a stream, each modulated and gated by the timestep."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.img_mod = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.txt_mod = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.attn = JointAttention(width, heads)
        self.img_mlp = MLP(width)
        self.txt_mlp = MLP(width)

    def forward(
        self, image: Tensor, text: Tensor, time: Tensor, turn: Rotation, key_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        image_mix, image_refine = modulations(self.img_mod(time))
        text_mix, text_refine = modulations(self.txt_mod(time))

        image_update, text_update = self.attn(
            modulate(image, image_mix.shift, image_mix.scale),
            modulate(text, text_mix.shift, text_mix.scale),
            turn,
            key_mask,
        )
        image = image + image_mix.gate * image_update
        text = text + text_mix.gate * text_update

        image = image + image_refine.gate * self.img_mlp(modulate(image, image_refine.shift, image_refine.scale))
        text = text + text_refine.gate * self.txt_mlp(modulate(text, text_refine.shift, text_refine.scale))
        return image, text


class JointAttention(nn.Module):
    """Every token attends to every real token of both streams. Queries and keys are RMS-normed, then rotated."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        head_channels = width // heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.add_q_proj, self.add_k_proj, self.add_v_proj = (nn.Linear(width, width) for _ in range(3))
        self.norm_q, self.norm_k = (RMSNorm(head_channels) for _ in range(2))
        self.norm_added_q, self.norm_added_k = (RMSNorm(head_channels) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.to_add_out = nn.Linear(width, width)

    def forward(self, image: Tensor, text: Tensor, turn: Rotation, key_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        query = torch.cat(
            [self.norm_added_q(self._heads(self.add_q_proj(text))), self.norm_q(self._heads(self.to_q(image)))], dim=1
        )
        key = torch.cat(
            [self.norm_added_k(self._heads(self.add_k_proj(text))), self.norm_k(self._heads(self.to_k(image)))], dim=1
        )
        value = torch.cat([self._heads(self.add_v_proj(text)), self._heads(self.to_v(image))], dim=1)
        mixed = attend(rotate(query, turn), rotate(key, turn), value, key_mask).flatten(-2)
        text_out, image_out = mixed.split([text.shape[1], image.shape[1]], dim=1)
        return self.to_out[0](image_out), self.to_add_out(text_out)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, width) → (B, L, heads, channels)"""
        return x.unflatten(-1, (self.heads, -1))


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned scale, computed in fp32 whatever comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), EPSILON).to(x.dtype)


class MLP(nn.Module):
    """Linear to 4 × width, GELU by its tanh approximation, linear back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([GELUProjection(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x


class GELUProjection(nn.Module):
    """A module of its own because the parameter is called `net.0.proj`."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.proj(x), approximate="tanh")


class ModulatedNorm(nn.Module):
    """The head's norm. Here SCALE comes before SHIFT, the opposite of the blocks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.linear(F.silu(time)).unsqueeze(1).chunk(2, dim=-1)
        return modulate(x, shift, scale)


class TimestepEmbedding(nn.Module):
    """The noise level as a vector. No pooled text goes in, despite the released model's name for it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.timestep_embedder = nn.ModuleDict(
            {"linear_1": nn.Linear(TIMESTEP_CHANNELS, width), "linear_2": nn.Linear(width, width)}
        )

    def forward(self, sigma: Tensor) -> Tensor:
        """(B,) → (B, width)"""
        first, second = self.timestep_embedder["linear_1"], self.timestep_embedder["linear_2"]
        return second(F.silu(first(sinusoid(sigma).to(first.weight.dtype))))


def sinusoid(sigma: Tensor, channels: int = TIMESTEP_CHANNELS, period: float = 10_000.0) -> Tensor:
    """(B,) in 0–1 → (B, channels), cosines then sines of 1000 · sigma at falling frequencies, in fp32."""
    half = channels // 2
    frequencies = torch.exp(-math.log(period) * torch.arange(half, device=sigma.device, dtype=torch.float32) / half)
    angles = 1000.0 * sigma.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Modulation(NamedTuple):
    """What the timestep does to one half of a stream's block, each (B, 1, width)."""

    shift: Tensor
    scale: Tensor
    gate: Tensor


def modulations(raw: Tensor) -> tuple[Modulation, Modulation]:
    """(B, 6 · width) → that of attention and that of the MLP."""
    parts = raw.unsqueeze(1).chunk(6, dim=-1)
    return Modulation(*parts[:3]), Modulation(*parts[3:])


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm without weights of its own, then the timestep's scale and shift, one a sample."""
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON) * (1 + scale) + shift


def attend(query: Tensor, key: Tensor, value: Tensor, key_mask: Tensor | None) -> Tensor:
    """Softmax attention over (B, L, heads, channels); key_mask (B, 1, 1, L) is True where a key is real."""
    query, key, value = (x.transpose(1, 2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, attn_mask=key_mask).transpose(1, 2)


def _joint_mask(image: Tensor, text: Tensor, text_mask: Tensor | None, image_mask: Tensor | None) -> Tensor | None:
    """(B, 1, 1, T + N) of both streams' real tokens; None when all are."""
    if text_mask is None and image_mask is None:
        return None
    masks = [
        torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device) if mask is None else mask.bool()
        for tokens, mask in ((text, text_mask), (image, image_mask))
    ]
    return torch.cat(masks, dim=1)[:, None, None, :]
