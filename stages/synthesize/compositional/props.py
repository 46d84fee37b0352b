"""What holds a medium up, drawn behind it: posts, a stand, ropes, cords. They follow the medium's perspective."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

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
        _fill(scene.canvas, strip, (level, level * 1.01, level * 1.04))


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
    centre = (round(middle - half * 0.6 * light.direction[0]), round(base - edge + half * 0.1))
    cv2.ellipse(shadow, centre, (round(half * 3.1), round(half * 0.6)), 0, 0, 360, 150, -1, cv2.LINE_AA)
    cv2.ellipse(shadow, (centre[0], 0), (round(half * 9), round(half * 1.1)), 0, 0, 360, 70, -1, cv2.LINE_AA)
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(1.0, half * 0.25))
    part = canvas[edge:]
    cv2.multiply(part, cv2.cvtColor(cv2.bitwise_not(shadow), cv2.COLOR_GRAY2RGB), part, scale=1 / 255)
    _round(scene, left, right, base, 88)
    for drop, tone in ((half * 0.14, 36), (0, 104)):
        at, axes = (round(middle * 16), round((base + drop) * 16)), (round(half * 2.7 * 16), round(half * 0.42 * 16))
        cv2.ellipse(canvas, at, axes, 0, 0, 360, (tone,) * 3, -1, cv2.LINE_AA, 4)
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
    off = np.array(light.direction) * thick * -0.9
    _line(canvas, start + off * 1.4, end + off * 1.4, thick * 1.1, (58, 52, 46))
    _line(canvas, start, end, thick, (150, 124, 88))
    _line(canvas, start - off * 0.25, end - off * 0.25, thick * 0.4, (204, 180, 138))


def _line(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, thick: float, tone: tuple[int, int, int]) -> None:
    along = (end - start) / max(1e-6, float(np.hypot(*(end - start))))
    side = np.array([-along[1], along[0]]) * thick / 2
    _fill(canvas, np.array([start + side, end + side, end - side, start - side]), tone)


def _fill(canvas: np.ndarray, corners: np.ndarray, tone: tuple[float, float, float]) -> None:
    cv2.fillConvexPoly(canvas, np.rint((corners - 0.5) * 16).astype(np.int32), tone, cv2.LINE_AA, 4)


PROPS: dict[str, Prop] = {
    "posts": Prop(_posts, above=0.03, below=0.2),
    "stand": Prop(_stand, above=0.03, below=0.17, low=True),
    "ropes": Prop(_ropes, above=0.1),
    "cords": Prop(_cords),
}
