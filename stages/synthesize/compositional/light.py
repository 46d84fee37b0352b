"""The light of a picture: where it comes from, how bright its far side is, and its shadow."""

from dataclasses import dataclass

import cv2
import numpy as np

_SMALL = 24  # a light map is computed at so many places a side and drawn smooth between them

_FROM = {
    "the left": (-1.0, -0.35),
    "the upper left": (-0.75, -0.75),
    "above": (-0.1, -1.0),
    "the upper right": (0.75, -0.75),
    "the right": (1.0, -0.35),
}


@dataclass(frozen=True)
class Light:
    """`direction` points to where the light comes from, in the picture; `fall` is how much darker the far side is, 0 to
    1; `warmth` tints it, -1 (blue) to 1 (orange)."""

    source: str
    direction: tuple[float, float]
    fall: float
    warmth: float

    @property
    def phrase(self) -> str:
        return f"soft light from {self.source}"

    @property
    def tint(self) -> tuple[float, float, float]:
        """Factors of red, green and blue."""
        return 1 + 0.03 * self.warmth, 1.0, 1 - 0.05 * self.warmth

    def map(self, width: int, height: int, vignette: float) -> np.ndarray:
        """What multiplies the picture, uint8 (height, width, 3), where 200 leaves a pixel as it is."""
        y, x = np.mgrid[-1 : 1 : _SMALL * 1j, -1 : 1 : _SMALL * 1j]
        towards = (x * self.direction[0] + y * self.direction[1]) / 1.3
        level = 1.05 + self.fall * (0.32 * towards - 0.14) - vignette * np.clip((x**2 + y**2) / 2 - 0.25, 0, 1) * 0.8
        few = np.clip(level[..., None] * np.array(self.tint) * 200, 0, 255).astype(np.float32)
        # In floats as far as it has to be smooth, and in bytes for the rest: three times as fast.
        quarter = cv2.resize(few, (max(2, width // 4), max(2, height // 4)), interpolation=cv2.INTER_LINEAR)
        return cv2.resize(cv2.convertScaleAbs(quarter), (width, height), interpolation=cv2.INTER_LINEAR)


def draw(rng: np.random.Generator) -> Light:
    source = list(_FROM)[int(rng.integers(len(_FROM)))]
    x, y = np.array(_FROM[source]) + rng.normal(0, 0.08, 2)
    length = float(np.hypot(x, y))
    return Light(
        source, (float(x) / length, float(y) / length), float(rng.uniform(0.15, 0.5)), float(rng.normal(0, 0.6))
    )


def shadow(alpha: np.ndarray, light: Light, lift: float, depth: float) -> np.ndarray:
    """What is left of the light where a sheet casts its shadow, uint8 (h, w), 255 where it does not.

    alpha: the sheet's cover, uint8 (h, w); `lift` is how far it stands off the ground, in pixels; `depth` how dark the
    shadow is, 0 to 1. It is narrow and dark close by, wide and soft farther off. Both are computed small: a shadow has
    no detail.
    """
    height, width = alpha.shape
    small, dark = alpha, None
    for factor, reach, spread, share in ((4, 0.25, 0.45, 0.9), (8, 1.0, 1.3, 1.0)):
        size = (max(1, width // factor), max(1, height // factor))
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        shift = np.array([[1, 0, -light.direction[0]], [0, 1, -light.direction[1]]])
        shift[:, 2] *= lift * reach / factor
        moved = cv2.warpAffine(small, shift, size, borderMode=cv2.BORDER_REPLICATE)
        soft = cv2.GaussianBlur(moved, (0, 0), max(0.7, lift * spread / factor))
        soft = cv2.convertScaleAbs(soft, alpha=share * depth)
        dark = soft if dark is None else cv2.max(dark, cv2.resize(soft, dark.shape[::-1]))
    return cv2.resize(cv2.bitwise_not(dark), (width, height), interpolation=cv2.INTER_LINEAR)
