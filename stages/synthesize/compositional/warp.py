"""Where a flat sheet's points go in the picture: bends, folds and perspective, one after the other.

Every map goes both ways exactly, so that pixels and quadrilaterals follow the same numbers: points are mapped forward,
pixels fetched backward, in one resampling for the whole chain. Coordinates are pixels with whole numbers at their
edges: the centre of the first pixel is at (0.5, 0.5).
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

_STEP = 4  # pixels: the map between two places where it is computed is a straight line
_SAMPLES = 6  # places on each side of a box that are looked at where the sheet is bent
_FAR = 1e5  # pixels beyond the sheet, where a bend goes on straight


class Map(Protocol):
    """A one-to-one map of the plane. points: float64 (n, 2)."""

    def forward(self, points: np.ndarray) -> np.ndarray: ...

    def inverse(self, points: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Bend:
    """A sheet bent about parallel lines, as a distant camera sees it: a roll, a wave, a fold.

    Points with coordinate t on `axis` (0: x, 1: y) move to `along` on it, and sideways by `across`; both are straight
    between the knots `at`. Two straight pieces are a fold; many are a curve. `along` must rise with `at`.
    """

    axis: int
    at: np.ndarray
    along: np.ndarray
    across: np.ndarray

    @classmethod
    def of(cls, axis: int, at: np.ndarray, along: np.ndarray, across: np.ndarray) -> "Bend":
        """A bend that goes on as a plane beyond its first and last knot."""
        ends = np.array([-_FAR, _FAR])
        return cls(
            axis,
            np.concatenate([at[:1] + ends[:1], at, at[-1:] + ends[1:]]),
            np.concatenate([along[:1] + ends[:1], along, along[-1:] + ends[1:]]),
            np.concatenate([across[:1], across, across[-1:]]),
        )

    def forward(self, points: np.ndarray) -> np.ndarray:
        t = points[:, self.axis]
        moved = np.empty_like(points)
        moved[:, self.axis] = np.interp(t, self.at, self.along)
        moved[:, 1 - self.axis] = points[:, 1 - self.axis] + np.interp(t, self.at, self.across)
        return moved

    def inverse(self, points: np.ndarray) -> np.ndarray:
        t = np.interp(points[:, self.axis], self.along, self.at)
        moved = np.empty_like(points)
        moved[:, self.axis] = t
        moved[:, 1 - self.axis] = points[:, 1 - self.axis] - np.interp(t, self.at, self.across)
        return moved

    def scaled(self, factor: float) -> "Bend":
        return Bend(self.axis, self.at * factor, self.along * factor, self.across * factor)


@dataclass(frozen=True)
class Homography:
    """A plane seen in perspective. matrix: float64 (3, 3)."""

    matrix: np.ndarray

    def forward(self, points: np.ndarray) -> np.ndarray:
        return _project(self.matrix, points)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        return _project(np.linalg.inv(self.matrix), points)

    def then(self, matrix: np.ndarray) -> "Homography":
        """This map, and another one after it."""
        return Homography(matrix @ self.matrix)

    def before(self, matrix: np.ndarray) -> "Homography":
        """Another map, and this one after it."""
        return Homography(self.matrix @ matrix)


@dataclass(frozen=True)
class Chain:
    """Bends of the sheet, then the camera's view of it."""

    bends: tuple[Bend, ...]
    view: Homography

    def forward(self, points: np.ndarray) -> np.ndarray:
        for step in self.bends:
            points = step.forward(points)
        return self.view.forward(points)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        points = self.view.inverse(points)
        for step in reversed(self.bends):
            points = step.inverse(points)
        return points

    def quads(self, quads: np.ndarray) -> np.ndarray:
        """Quadrilaterals, float32 (n, 8), clockwise, as they appear: corner by corner. Where the sheet is bent their
        sides become curves, so each side is moved outwards until all of the curved box lies within."""
        corners = quads.reshape(-1, 4, 2).astype(np.float64)
        mapped = self.forward(corners.reshape(-1, 2)).reshape(-1, 4, 2)
        if self.bends:
            share = np.linspace(0, 1, _SAMPLES, endpoint=False)[:, None]
            sides = corners[:, :, None] + share * (np.roll(corners, -1, axis=1) - corners)[:, :, None]
            mapped = _around(mapped, self.forward(sides.reshape(-1, 2)).reshape(len(corners), -1, 2))
        return mapped.reshape(-1, 8).astype(np.float32)

    def finer(self, factor: float) -> "Chain":
        """The chain for the same sheet drawn `factor` times as large, to be seen as large as before."""
        return Chain(
            tuple(bend.scaled(factor) for bend in self.bends), self.view.before(np.diag([1 / factor, 1 / factor, 1.0]))
        )

    def least_scale(self, points: np.ndarray) -> float:
        """How many pixels of the picture a pixel of the sheet becomes, in the direction and at the place where it
        becomes fewest. points: places on the sheet, float64 (n, 2)."""
        return float(self._stretches(points)[:, -1].min())

    def mean_scale(self, points: np.ndarray) -> float:
        """The square root of the factor by which areas grow, on average over some places."""
        return float(np.sqrt(self._stretches(points).prod(axis=1).mean()))

    def _stretches(self, points: np.ndarray) -> np.ndarray:
        """The greatest and the least stretch at each place, (n, 2)."""
        here = self.forward(points)
        right, down = (self.forward(points + step) - here for step in np.eye(2) * 0.5)
        return np.linalg.svd(np.stack([right, down], axis=-1) * 2, compute_uv=False)


def _project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    found = points @ matrix[:, :2].T + matrix[:, 2]
    return found[:, :2] / found[:, 2:]


def _around(quads: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Quadrilaterals (n, 4, 2) with their sides moved outwards, in parallel, until the points (n, m, 2) lie within."""
    along = np.roll(quads, -1, axis=1) - quads
    along /= np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-9)[..., None]
    out = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    beyond = np.einsum("nmsk,nsk->nms", points[:, :, None] - quads[:, None], out).max(axis=1).clip(0)
    # Each corner is where its two sides meet, the one that ends there and the one that begins.
    before, behind = np.roll(out, 1, axis=1), np.roll(beyond, 1, axis=1)
    parallel = (before[..., 0] * out[..., 1] - before[..., 1] * out[..., 0]) ** 2 < 1e-6
    lines = np.stack([before, out], axis=-2)
    lines[parallel] = np.eye(2)
    shift = np.linalg.solve(lines, np.stack([behind, beyond], axis=-1)[..., None])[..., 0]
    shift[parallel] = 0
    return quads + shift


def grid(left: float, top: float, right: float, bottom: float, count: int = 5) -> np.ndarray:
    """Places spread evenly over a rectangle, its edges included, float64 (count², 2)."""
    x, y = np.meshgrid(np.linspace(left, right, count), np.linspace(top, bottom, count))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def translation(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def tilt(width: float, height: float, yaw: float, pitch: float, roll: float, distance: float = 2.6) -> Homography:
    """A sheet turned about its vertical axis, its horizontal one and in its plane (degrees), seen from `distance` times
    its longer side; its middle stays where it is."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turn = about_z @ about_x @ about_y
    away = distance * max(width, height)
    plane = np.stack([turn[:, 0], turn[:, 1], [0, 0, away]], axis=1)
    camera = np.diag([away, away, 1.0])
    centre = translation(width / 2, height / 2)
    return Homography(centre @ camera @ plane @ translation(-width / 2, -height / 2))


def into(
    chain: Chain, outline: np.ndarray, target: tuple[float, float, float, float], place: tuple[float, float]
) -> Chain:
    """The chain with its view moved and scaled so that `outline` (points of the sheet) fills the rectangle `target` as
    far as it can; `place` says where the room left over goes: 0 all to the right or below, 1 all to the left or above.
    """
    found = chain.forward(outline)
    low, high = found.min(axis=0), found.max(axis=0)
    left, top, right, bottom = target
    room = np.array([right - left, bottom - top])
    scale = float((room / (high - low)).min())
    start = np.array([left, top]) + (room - (high - low) * scale) * np.array(place)
    move = np.diag([scale, scale, 1.0])
    move[:2, 2] = start - low * scale
    return Chain(chain.bends, chain.view.then(move))


def edge(width: float, height: float, count: int = 33) -> np.ndarray:
    """Points all along a sheet's edge, clockwise, float64 (4 × count, 2)."""
    t = np.linspace(0, 1, count)
    zero, one = np.zeros(count), np.ones(count)
    x = np.concatenate([t, one, 1 - t, zero]) * width
    y = np.concatenate([zero, t, one, 1 - t]) * height
    return np.stack([x, y], axis=1)


def warp(image: np.ndarray, chain: Chain, window: tuple[int, int, int, int]) -> np.ndarray:
    """The sheet `image`, (h, w) or (h, w, c), as it appears in the window left, top, right, bottom of the picture;
    zero where it is not."""
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    if not chain.bends:
        half = translation(0.5, 0.5)
        matrix = translation(-left - 0.5, -top - 0.5) @ chain.view.matrix @ half
        return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    columns, rows = -(-width // _STEP) + 2, -(-height // _STEP) + 2
    # One cell more on each side: beyond the middles of its outer cells resizing has nothing to draw lines between.
    x = left + (np.arange(columns) - 0.5) * _STEP
    y = top + (np.arange(rows) - 0.5) * _STEP
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    coarse = (chain.inverse(places) - 0.5).astype(np.float32).reshape(rows, columns, 2)
    fine = cv2.resize(coarse, (columns * _STEP, rows * _STEP), interpolation=cv2.INTER_LINEAR)
    fine = fine[_STEP : _STEP + height, _STEP : _STEP + width]
    return cv2.remap(image, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def curve(axis: int, length: float, heights: np.ndarray, sight: tuple[float, float]) -> Bend:
    """A sheet of `length` along `axis` whose height above the plane is given at even steps (pixels), seen a little from
    the side: `sight` is how far a unit of height moves along and across the axis. The sheet keeps its length: where it
    rises, less of it is seen."""
    at = np.linspace(0, length, len(heights))
    flat = np.sqrt(np.maximum(np.diff(at) ** 2 - np.diff(heights) ** 2, (0.3 * np.diff(at)) ** 2))
    along = np.concatenate([[0.0], np.cumsum(flat)]) + heights * sight[0]
    least = 0.2 * np.diff(at)
    along = along[0] + np.concatenate([[0.0], np.cumsum(np.maximum(np.diff(along), least))])
    return Bend.of(axis, at, along, heights * sight[1])
