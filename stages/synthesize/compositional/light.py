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
        small = np.clip(level[..., None] * np.array(self.tint) * 200, 0, 255).astype(np.float32)
        # Between the levels of eight bits a dither would be needed; between these few places it is drawn in floats.
        wide = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        return cv2.convertScaleAbs(wide)


def draw(rng: np.random.Generator) -> Light:
    source = list(_FROM)[int(rng.integers(len(_FROM)))]
    x, y = np.array(_FROM[source]) + rng.normal(0, 0.08, 2)
    length = float(np.hypot(x, y))
    return Light(
        source, (float(x) / length, float(y) / length), float(rng.uniform(0.15, 0.5)), float(rng.normal(0, 0.6))
    )


def cast(
    ground: np.ndarray, alpha: np.ndarray, window: tuple[int, int, int, int], light: Light, lift: float, depth: float
) -> None:
    """Darken `ground` (RGB, in place) where a sheet casts its shadow. alpha: the sheet's cover in `window` of the
    ground, uint8; `lift` is how far it stands off the ground, in pixels; `depth` how dark, 0 to 1.

    Computed at a quarter of the size: a shadow is soft.
    """
    height, width = ground.shape[:2]
    left, top, right, bottom = window
    small = np.zeros((-(-height // 4), -(-width // 4)), np.uint8)
    x0, y0, x1, y1 = left // 4, top // 4, max(left // 4 + 1, right // 4), max(top // 4 + 1, bottom // 4)
    small[y0:y1, x0:x1] = cv2.resize(alpha, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    dark = np.zeros(small.shape, np.uint8)
    for reach, spread, share in ((0.25, 0.45, 0.55), (1.0, 1.3, 0.6)):
        shift = np.array(
            [[1, 0, -light.direction[0] * lift * reach / 4], [0, 1, -light.direction[1] * lift * reach / 4]]
        )
        moved = cv2.warpAffine(small, shift, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        soft = cv2.GaussianBlur(moved, (0, 0), max(0.7, lift * spread / 4))
        dark = cv2.max(dark, cv2.convertScaleAbs(soft, alpha=share * depth / 0.6))
    keep = cv2.resize(cv2.bitwise_not(dark), (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.multiply(ground, cv2.cvtColor(keep, cv2.COLOR_GRAY2RGB), ground, scale=1 / 255)
