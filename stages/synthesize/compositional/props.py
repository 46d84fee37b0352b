"""What holds a medium up, drawn behind it: posts, a stand, ropes, cords. They follow the medium's perspective."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from stages.synthesize.compositional import shapes
from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.surfaces import wood
from stages.synthesize.compositional.textures import Window
from stages.synthesize.compositional.warp import Chain


@dataclass(frozen=True)
class Behind:
    """Where a prop is drawn: the picture, the view of the medium and its size, chance and the light."""

    canvas: np.ndarray
    chain: Chain
    width: float
    height: float
    rng: np.random.Generator
    light: Light

    def at(self, *places: tuple[float, float]) -> np.ndarray:
        """Places on the medium, as shares of its width and height, in the picture: (n, 2)."""
        return self.chain.forward(np.array(places) * [self.width, self.height])


@dataclass(frozen=True)
class Prop:
    """`above` and `below`: the share of the picture's height it needs; `low`: the medium stands as low as it can."""

    draw: Callable[[Behind], None]
    above: float = 0.0
    below: float = 0.0
    low: bool = False


def _posts(scene: Behind) -> None:
    """Two steel posts from the medium's lower part to the ground."""
    for share in (0.24, 0.76):
        left, right = scene.at((share - 0.028, 0.9), (share + 0.028, 0.9))
        _round(scene, left, right, scene.canvas.shape[0] + 2, 84)


def _round(scene: Behind, left: np.ndarray, right: np.ndarray, bottom: float, tone: float) -> None:
    """An upright pipe below two places, brightest where it faces the light."""
    steps = 15
    for step in range(steps):
        share = (step + 0.5) / steps
        level = tone * (0.5 + 0.85 * np.exp(-(((share - 0.5 - 0.22 * scene.light.direction[0]) / 0.28) ** 2)))
        (x0, y0), (x1, y1) = left + (right - left) * step / steps, right  # the next strip covers the rest of it
        strip = np.array([[x0, y0], [x1, y1], [x1, bottom], [x0, bottom]])
        shapes.fill(scene.canvas, strip, (level, level * 1.01, level * 1.04))


def _stand(scene: Behind) -> None:
    """A desk, and a monitor's neck and foot on it."""
    canvas, light = scene.canvas, scene.light
    rows, columns = canvas.shape[:2]
    left, right = scene.at((0.455, 0.96), (0.545, 0.96))
    middle, half = (left[0] + right[0]) / 2, (right[0] - left[0]) / 2
    base = min(rows - half * 0.8, max(left[1], right[1]) + 2.7 * half)
    edge = round(base - half * 1.5)
    kind = ("light wood", "oak wood", "dark wood")[int(scene.rng.integers(3))]
    top = wood(Window(scene.rng, columns, rows - edge), kind, "wood", 1.2)
    level = np.linspace(0.7, 1.08, rows - edge)[:, None, None]
    canvas[edge:] = np.clip(top * level, 0, 255).astype(np.uint8)
    seam = slice(max(0, edge - 6), edge + 6)
    canvas[seam] = cv2.blur(canvas[seam], (1, 7))
    shadow = np.zeros((rows - edge, columns), np.uint8)
    x = middle - half * 0.6 * light.direction[0]
    shapes.ellipse(shadow, (x, base - edge + half * 0.1), (half * 3.1, half * 0.6), 150)
    shapes.ellipse(shadow, (x, 0), (half * 9, half * 1.1), 70)
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(1.0, half * 0.25))
    part = canvas[edge:]
    cv2.multiply(part, cv2.cvtColor(cv2.bitwise_not(shadow), cv2.COLOR_GRAY2RGB), part, scale=1 / 255)
    _round(scene, left, right, base, 88)
    shapes.ellipse(canvas, (middle, base + half * 0.14), (half * 2.7, half * 0.42), (36, 36, 36))
    shapes.ellipse(canvas, (middle, base), (half * 2.7, half * 0.42), (104, 104, 104))
    _round(scene, np.array([left[0], base - half]), np.array([right[0], base - half]), base, 88)


def _ropes(scene: Behind) -> None:
    """Two ropes up to one nail."""
    ends = scene.at((0.12, 0.03), (0.88, 0.03))
    nail = np.array([ends[:, 0].mean(), ends[:, 1].min() - 0.32 * abs(ends[1, 0] - ends[0, 0])])
    for end in ends:
        _rope(scene.canvas, end, nail, max(2.0, scene.width * 0.008), scene.light)


def _cords(scene: Behind) -> None:
    """A cord from each corner outwards."""
    ends = scene.at((0.02, 0.045), (0.98, 0.045), (0.02, 0.955), (0.98, 0.955))
    middle = ends.mean(axis=0)
    for end in ends:
        away = (end - middle) * [1.0, 0.55]
        far = end + away / np.hypot(*away) * scene.canvas.shape[1]
        _rope(scene.canvas, end, far, max(1.6, scene.width * 0.005), scene.light)


def _rope(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, thick: float, light: Light) -> None:
    towards = np.array(light.direction) * thick
    for shift, share, tone in ((-1.25, 1.1, (58, 52, 46)), (0.0, 1.0, (150, 124, 88)), (0.22, 0.4, (204, 180, 138))):
        shapes.bar(canvas, start + towards * shift, end + towards * shift, (thick * share, thick * share), tone)


PROPS: dict[str, Prop] = {
    "posts": Prop(_posts, above=0.03, below=0.2),
    "stand": Prop(_stand, above=0.03, below=0.17, low=True),
    "ropes": Prop(_ropes, above=0.1),
    "cords": Prop(_cords),
}
