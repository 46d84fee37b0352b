"""What holds a medium up, drawn behind it: posts, a stand, ropes, cords. They follow the medium's perspective."""

from collections.abc import Callable

import cv2
import numpy as np

from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.warp import Chain

Prop = Callable[[np.ndarray, Chain, float, float, Light], None]


def _posts(canvas: np.ndarray, chain: Chain, width: float, height: float, light: Light) -> None:
    """Two steel posts from the medium's lower part to the ground."""
    bottom = canvas.shape[0]
    thick = 0.028 * width
    for share in (0.24, 0.76):
        ends = chain.forward(np.array([[width * share - thick, height * 0.9], [width * share + thick, height * 0.9]]))
        (x0, y0), (x1, y1) = ends
        steps = 9
        for i in range(steps):  # a round post: brighter towards the light
            t = (i + 0.5) / steps
            level = 46 + 74 * np.exp(-(((t - 0.5 - 0.22 * light.direction[0]) / 0.28) ** 2))
            xs = x0 + (x1 - x0) * np.array([i / steps, (i + 1.15) / steps])
            ys = y0 + (y1 - y0) * np.array([i / steps, (i + 1) / steps])
            shape = np.array([[xs[0], ys[0]], [xs[1], ys[1]], [xs[1], bottom + 2], [xs[0], bottom + 2]])
            _fill(canvas, shape, (level, level * 1.02, level * 1.06))


def _stand(canvas: np.ndarray, chain: Chain, width: float, height: float, light: Light) -> None:
    """A monitor's neck and foot, and the foot's shadow on the desk."""
    (x0, y0), (x1, y1) = chain.forward(np.array([[width * 0.455, height * 0.96], [width * 0.545, height * 0.96]]))
    rows = canvas.shape[0]
    base = min(rows * 0.955, max(y0, y1) + 0.13 * abs(x1 - x0) / 0.09)
    middle, half = (x0 + x1) / 2, (x1 - x0) / 2
    left, right = round(middle - half * 4.4), round(middle + half * 4.4)
    top, bottom = max(0, round(base - half * 1.2)), min(rows, round(base + half * 1.8))
    part = canvas[top:bottom, max(0, left) : right]
    shadow = np.zeros(part.shape[:2], np.uint8)
    centre = (round(middle - max(0, left) - half * 0.5 * light.direction[0]), round(base - top + half * 0.15))
    cv2.ellipse(shadow, centre, (round(half * 3), round(half * 0.55)), 0, 0, 360, 130, -1, cv2.LINE_AA)
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(1.0, half * 0.25))
    cv2.multiply(part, cv2.cvtColor(cv2.bitwise_not(shadow), cv2.COLOR_GRAY2RGB), part, scale=1 / 255)
    for i in range(9):
        t = (i + 0.5) / 9
        level = 52 + 60 * np.exp(-(((t - 0.5 - 0.2 * light.direction[0]) / 0.3) ** 2))
        a, b = x0 + (x1 - x0) * i / 9, x0 + (x1 - x0) * (i + 1.15) / 9
        _fill(canvas, np.array([[a, y0], [b, y1], [b, base], [a, base]]), (level, level, level * 1.03))
    for drop, tone in ((half * 0.14, 40), (0, 92)):
        centre16 = (round(middle * 16), round((base + drop) * 16))
        cv2.ellipse(
            canvas,
            centre16,
            (round(half * 2.7 * 16), round(half * 0.42 * 16)),
            0,
            0,
            360,
            (tone,) * 3,
            -1,
            cv2.LINE_AA,
            4,
        )


def _ropes(canvas: np.ndarray, chain: Chain, width: float, height: float, light: Light) -> None:
    """Two ropes up to one nail above the picture's upper edge."""
    ends = chain.forward(np.array([[width * 0.12, height * 0.03], [width * 0.88, height * 0.03]]))
    nail = np.array([ends[:, 0].mean(), ends[:, 1].min() - 0.32 * abs(ends[1, 0] - ends[0, 0])])
    for end in ends:
        _rope(canvas, end, nail, max(2.0, width * 0.008), light)


def _cords(canvas: np.ndarray, chain: Chain, width: float, height: float, light: Light) -> None:
    """A cord from each corner outwards."""
    places = np.array([[0.02, 0.045], [0.98, 0.045], [0.02, 0.955], [0.98, 0.955]]) * [width, height]
    ends = chain.forward(places)
    middle = ends.mean(axis=0)
    for end in ends:
        away = (end - middle) * [1.0, 0.55]
        _rope(canvas, end, end + away / np.hypot(*away) * canvas.shape[1], max(1.6, width * 0.005), light)


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


PROPS: dict[str, Prop] = {"posts": _posts, "stand": _stand, "ropes": _ropes, "cords": _cords}
# How much of the picture's height they need above and below the medium.
ROOM: dict[str, tuple[float, float]] = {
    "posts": (0.03, 0.2),
    "stand": (0.03, 0.17),
    "ropes": (0.1, 0.03),
    "cords": (0.0, 0.0),
}
