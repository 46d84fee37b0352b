"""How a medium stands in a picture: its size, its bends, and the camera's view of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stages.synthesize.compositional import props, warp
from stages.synthesize.compositional.media import Medium
from stages.synthesize.compositional.warp import Chain

_FINER = 1.08  # the sheet is painted so much finer than it will be seen
_CLOSE = 0.2  # of the views are close ones
_NEAR = 0.045  # of the picture is left about the text in a close view
_SLANTED = 7  # degrees: from there on captions say that it is seen at an angle


@dataclass(frozen=True)
class Pose:
    """What is drawn by lot about a view, all of it independent of the picture's size. `turn` is the share, -1 to 1, of
    the medium's largest yaw, pitch and roll; `aspect`, `share` and `place` are 0 to 1; `shape` seeds its bends; `close`
    asks for a view so near that the medium's edges are out of the picture, where the medium allows it."""

    turn: tuple[float, float, float]
    aspect: float
    share: float
    place: tuple[float, float]
    shape: int
    close: bool = False

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Pose":
        yaw, pitch, roll = rng.uniform(-1, 1, 3).tolist()
        x, y = rng.uniform(0.3, 0.7, 2).tolist()
        aspect, share, close = rng.random(3).tolist()
        return cls((yaw, pitch, roll), aspect, share, (x, y), int(rng.integers(2**31)), close < _CLOSE)


@dataclass(frozen=True)
class View:
    """A medium as it stands in a picture. Lengths of the sheet are its own pixels: `width` and `height`, and the `area`
    of its text: left, top, right, bottom. `chain` takes its points to the picture's; `angles` are yaw, pitch and roll
    in degrees."""

    medium: Medium
    chain: Chain
    width: int
    height: int
    area: tuple[float, float, float, float]
    angles: tuple[float, float, float]
    details: tuple[str, ...]
    close: bool = False

    @cached_property
    def least_scale(self) -> float:
        """How many pixels of the picture a pixel of the sheet becomes, where it becomes fewest."""
        return self.chain.least_scale(warp.grid(*self.area))


def frame(medium: Medium, size: tuple[int, int], pose: Pose, ease: float, mirrored: bool = False) -> View:
    """The medium in a picture of `size` (width, height), turned and bent by `ease`, 0 to 1, of what was drawn.

    A sheet lies wholly within the picture, or in a close view the area of its text does. `mirrored` is for scripts from
    right to left: the margins change sides.
    """
    across, down = size
    low, high = medium.aspect
    close = pose.close and medium.close
    wish = across / down * 1.15 ** (2 * pose.aspect - 1)
    aspect = wish if close else float(np.clip(wish, low, high))
    height = float(np.sqrt(across * down / aspect))
    width = height * aspect
    yaw, pitch, roll = (ease * turn * most for turn, most in zip(pose.turn, medium.angles, strict=True))
    bends, details = ((), ()) if ease == 0 else medium.shape(np.random.default_rng(pose.shape), width, height)
    chain = Chain(bends, warp.tilt(width, height, yaw, pitch, roll))
    share = medium.share[1] - (medium.share[1] - medium.share[0]) * pose.share * ease
    inset = (1 - share) / 2
    prop = props.PROPS.get(medium.props)
    above, below, low_down = (prop.above, prop.below, prop.low) if prop else (0.0, 0.0, False)
    target = (across * inset, down * max(inset, above), across * (1 - inset), down * (1 - max(inset, below)))
    place = (pose.place[0], 1.0 if low_down else pose.place[1])
    near, over, far, under = medium.margins
    if mirrored:
        near, far = far, near
    if close:
        target = (across * _NEAR, down * _NEAR, across * (1 - _NEAR), down * (1 - _NEAR))
        inner = warp.grid(width * near, height * over, width * (1 - far), height * (1 - under), 9)
        chain = warp.into(chain, inner, target, place)
        details = (*details, "seen from close by")
    else:
        chain = warp.into(chain, warp.edge(width, height), target, place)
    factor = chain.mean_scale(warp.grid(0, 0, width, height)) * _FINER
    chain = chain.finer(factor)
    width, height = width * factor, height * factor
    left, top, right, bottom = 0.0, 0.0, width, height
    if medium.wall:  # goes on to the edges of the picture
        corners = chain.inverse(warp.edge(across, down, 2))
        (left, top), (right, bottom) = corners.min(axis=0) - 1, corners.max(axis=0) + 1
        chain = Chain((), chain.view.before(warp.translation(left, top)))
    area = (width * near - left, height * over - top, width * (1 - far) - left, height * (1 - under) - top)
    if max(abs(yaw), abs(pitch)) > _SLANTED:
        details = (*details, "seen at an angle")
    return View(medium, chain, round(right - left), round(bottom - top), area, (yaw, pitch, roll), details, close)
