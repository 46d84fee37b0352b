"""The MMDiT of Qwen-Image: two streams, image and text, each with its own weights, that meet in joint attention.

Parameter names and numerics are those of diffusers' `QwenImageTransformer2DModel`, so weights pass between the two
unchanged. What differs is around them: positions are given per sample, so that a batch may hold several shapes, padded
or packed; masks are always applied; the modulations and the head start at zero, so that every block starts as the
identity; the noise level stays in fp32 up to its sinusoid.

Cost: 36 · width² parameters a block, a third of them in the modulations, which are applied to one vector a sample and
so take next to no time. Forward costs 12 · width² multiply-adds a token and block, and attention on top.

The last block's text output goes nowhere in the released model. Here it is not computed: its `txt_mlp` and what makes
the text's queries and output (`add_q_proj`, `norm_added_q`, `to_add_out`) are there for their names, without a gradient.

What shapes decide (rotations, masks) is prepared before the blocks; `compile_blocks` compiles each of them as one graph.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from dataengine.config import Config
from dataengine.trainer.attention import EPSILON, turned_norm
from dataengine.trainer.layout import Layout, Lengths, packed, padded
from dataengine.trainer.rope import Rotation, rotation

TIMESTEP_CHANNELS = 256

Turns = tuple[Rotation, Rotation]
"""Of text and image tokens."""


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
        self.transformer_blocks = nn.ModuleList(
            Block(width, config.head_channels, last=index == config.layers - 1) for index in range(config.layers)
        )
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
        lengths: Lengths | None = None,
    ) -> Tensor:
        """image (B, N, token_channels), text (B, T, text_channels), sigma (B,) in 0–1 → velocity, shaped as `image`.

        positions (B or 1, T + N, 3), text first. Masks (B, T) and (B, N) are True where a token is real; None says
        that all are, and lets attention take its fastest path.

        A packed batch says its `lengths` and has no masks: image (1, ΣN, …), text (1, ΣT, …), positions (1, ΣT + ΣN, 3)
        of all samples' text and then of all samples' images; sigma has one entry a sample.
        """
        layout = padded(image, text, text_mask, image_mask) if lengths is None else packed(lengths, image.device)
        turn = rotation(positions, self.axes)
        turns = turn[:, : text.shape[1]], turn[:, text.shape[1] :]
        time = self.time_text_embed(sigma)
        image = self.img_in(image)
        text = self.txt_in(self.txt_norm(text))
        for block in self.transformer_blocks:
            image, text = block(image, text, time, turns, layout)
        return self.proj_out(self.norm_out(image, time, layout))

    def compile_blocks(self, **options: Any) -> None:
        """Compile each block in place, for any number of tokens. Names of parameters stay. Options: torch.compile's."""
        for block in self.transformer_blocks:
            block.compile(**{"fullgraph": True, "dynamic": True} | options)


class Block(nn.Module):
    """One double-stream block: joint attention, then an MLP a stream, each modulated and gated by the timestep."""

    def __init__(self, width: int, head_channels: int, last: bool = False) -> None:
        super().__init__()
        self.last = last
        self.img_mod = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.txt_mod = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.attn = JointAttention(width, head_channels, image_only=last)
        self.img_mlp = MLP(width)
        self.txt_mlp = MLP(width)

    def forward(self, image: Tensor, text: Tensor, time: Tensor, turns: Turns, layout: Layout) -> tuple[Tensor, Tensor]:
        image_mix, image_refine = modulations(self.img_mod(time), layout.over_image)
        text_mix, text_refine = modulations(self.txt_mod(time), layout.over_text)

        image_update, text_update = self.attn(image_mix.modulate(image), text_mix.modulate(text), turns, layout)
        image = image_mix.gated(image, image_update)
        image = image_refine.gated(image, self.img_mlp(image_refine.modulate(image)))
        if self.last:
            return image, text
        text = text_mix.gated(text, text_update)
        text = text_refine.gated(text, self.txt_mlp(text_refine.modulate(text)))
        return image, text


class JointAttention(nn.Module):
    """Every token attends to every real token of both streams. Queries and keys are RMS-normed, then rotated."""

    def __init__(self, width: int, head_channels: int, image_only: bool = False) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.image_only = image_only  # no text queries
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.add_q_proj, self.add_k_proj, self.add_v_proj = (nn.Linear(width, width) for _ in range(3))
        self.norm_q, self.norm_k = (RMSNorm(head_channels) for _ in range(2))
        self.norm_added_q, self.norm_added_k = (RMSNorm(head_channels) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.to_add_out = nn.Linear(width, width)

    def forward(self, image: Tensor, text: Tensor, turns: Turns, layout: Layout) -> tuple[Tensor, Tensor | None]:
        text_turn, image_turn = turns
        text_query = None
        if not self.image_only:
            text_query = turned_norm(self._heads(self.add_q_proj(text)), self.norm_added_q.weight, text_turn)
        text_out, image_out = layout.attend(
            (text_query, turned_norm(self._heads(self.to_q(image)), self.norm_q.weight, image_turn)),
            (
                turned_norm(self._heads(self.add_k_proj(text)), self.norm_added_k.weight, text_turn),
                turned_norm(self._heads(self.to_k(image)), self.norm_k.weight, image_turn),
            ),
            (self._heads(self.add_v_proj(text)), self._heads(self.to_v(image))),
        )
        image = self.to_out[0](image_out.flatten(-2))
        return image, None if text_out is None else self.to_add_out(text_out.flatten(-2))

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, width) → (B, L, heads, channels)"""
        return x.unflatten(-1, (-1, self.head_channels))


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

    def forward(self, x: Tensor, time: Tensor, layout: Layout) -> Tensor:
        scale, shift = self.linear(F.silu(time)).chunk(2, dim=-1)
        return modulate(x, layout.over_image(shift), layout.over_image(1 + scale))


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
    """What the timestep does to one half of a stream's block: vectors (B, width), spread `over` tokens where used."""

    shift: Tensor
    scale: Tensor
    gate: Tensor
    over: Callable[[Tensor], Tensor]

    def modulate(self, x: Tensor) -> Tensor:
        return modulate(x, self.over(self.shift), self.over(1 + self.scale))

    def gated(self, x: Tensor, update: Tensor) -> Tensor:
        return torch.addcmul(x, self.over(self.gate), update)


def modulations(raw: Tensor, over: Callable[[Tensor], Tensor]) -> tuple[Modulation, Modulation]:
    """(B, 6 · width) → that of attention and that of the MLP."""
    parts = raw.chunk(6, dim=-1)
    return Modulation(*parts[:3], over), Modulation(*parts[3:], over)


def modulate(x: Tensor, shift: Tensor, gain: Tensor) -> Tensor:
    """Layer norm without weights of its own, then the timestep's scale (`gain` is 1 + scale) and shift."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=EPSILON), gain)
