"""Pixel signals: what an image is worth before any model looks at it.

Quality filters of the report's second stage (clarity, luma, saturation, entropy, texture) and what stands beside
them: exposure clipping, colourfulness, JPEG blocks, and the file's own properties. Every value is defined by the
function that computes it, and what it reads bounds the cost: clarity, luma and clipping every pixel, blockiness two
thirds of the steps between them, entropy enough rows, texture a reduction of the image, saturation and colourfulness
enough rows of that. About 4 ms a megapixel on one core, two thirds of the decode of a JPEG.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pyarrow as pa

from dataengine.config import Config
from dataengine.stage import GIB, Image, Resources

_ENOUGH = 1 << 15
_DARK, _BRIGHT = 4, 251
_TILE, _TILES = 16, 8  # pixels a side of a tile, and tiles a side of the picture at most
_ROUNDING = 0.5  # energy of second differences that rounding to levels makes
_STRUCTURELESS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.int16)


class Params(Config):
    """Nothing to set: a threshold is for `select` to choose."""


def reduce(pixels: np.ndarray, side: int = 256) -> np.ndarray:
    """The image halved until its longer side is below twice `side`, each pixel the mean of 2 × 2.

    A smaller image stays as it is. An odd last row or column is left out. OpenCV halves several times as fast as it
    shrinks by any other factor.
    """
    while max(pixels.shape[:2]) >= 2 * side:
        height, width = pixels.shape[:2]
        size = max(1, width // 2), max(1, height // 2)
        pixels = cv2.resize(pixels[: 2 * size[1], : 2 * size[0]], size, interpolation=cv2.INTER_AREA)
    return pixels


def enough_rows(pixels: np.ndarray) -> np.ndarray:
    """Every n-th row, 32,768 pixels or somewhat more, for a statistic that needs no neighbours.

    n is odd: an even one would meet the 8 × 8 blocks of a JPEG always at the same places.
    """
    height, width = pixels.shape[:2]
    n = max(1, height * width // _ENOUGH)
    return pixels[:: n - 1 + n % 2]


def clarity(grey: np.ndarray) -> float:
    """Sharpness, ln(1 + variance of the Laplacian) of luma (Pech-Pacheco et al. 2000), on the report's log-like scale.

    0 for a flat image, below 3 for a badly blurred one, 4 to 9 for photographs, above 10 for noise. Higher is sharper.
    """
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    variance = cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - cv2.mean(edges)[0] ** 2
    return float(np.log1p(max(0.0, variance)))


def luma(grey: np.ndarray) -> float:
    """Mean luma in 0 (black) to 1 (white)."""
    return cv2.mean(grey)[0] / 255


def clipped(grey: np.ndarray) -> tuple[float, float]:
    """Shares of pixels that are all but black (luma ≤ 4) and all but white (≥ 251), each 0 to 1."""
    dark = grey.size - cv2.countNonZero(cv2.threshold(grey, _DARK, 1, cv2.THRESH_BINARY)[1])
    bright = cv2.countNonZero(cv2.threshold(grey, _BRIGHT - 1, 1, cv2.THRESH_BINARY)[1])
    return dark / grey.size, bright / grey.size


def entropy(pixels: np.ndarray) -> float:
    """RGB entropy in bits: the mean of the Shannon entropies of the three channels' histograms, 0 (flat) to 8.

    It counts enough rows: the value is within a tenth of a bit of that of all pixels, mostly a hundredth. Large uniform
    areas score low.
    """
    rows = enough_rows(pixels)
    counts = np.stack([cv2.calcHist([rows], [channel], None, [256], [0, 256]).ravel() for channel in range(3)])
    shares = counts.astype(np.float64) * 3 / rows.size
    return float(-(shares * np.log2(shares, out=np.zeros_like(shares), where=shares > 0)).sum() / 3) + 0.0


def saturation(reduced: np.ndarray) -> float:
    """Mean HSV saturation, (max − min) / max of the channels, 0 (grey and black) to 1."""
    red, green, blue = cv2.split(enough_rows(reduced))
    largest, smallest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return cv2.mean(cv2.divide(cv2.subtract(largest, smallest), largest, scale=255))[0] / 255


def colourfulness(reduced: np.ndarray) -> float:
    """Hasler and Süsstrunk's M3 (2003): √(σ²rg + σ²yb) + 0.3 √(μ²rg + μ²yb), rg = R − G, yb = (R + G) / 2 − B.

    0 for grey, about 15 slightly, 45 averagely, above 80 very colourful.
    """
    planes = cv2.split(enough_rows(reduced))
    red, green, blue = (cv2.mean(plane)[0] for plane in planes)
    mean_rg, mean_yb = red - green, (red + green) / 2 - blue
    # Squares of differences between bytes are exact and quick; by the parallelogram law they also give those of yb.
    rg, gb, rb = (cv2.norm(planes[a], planes[b], cv2.NORM_L2SQR) / planes[0].size for a, b in ((0, 1), (1, 2), (0, 2)))
    variance = rg - mean_rg**2 + (gb + rb) / 2 - rg / 4 - mean_yb**2
    return float(np.sqrt(max(0.0, variance)) + 0.3 * np.hypot(mean_rg, mean_yb))


def texture(reduced_grey: np.ndarray) -> float:
    """How noise-like: half the mean squared step between neighbours over the variance, both directions' mean, 0 to 1.

    Von Neumann's ratio (1941), which is 1 − the correlation of neighbouring pixels. About 0.02 to 0.2 for photographs,
    0.3 to 0.4 for gravel or grass, 1 for white noise; 0 where nothing varies.
    """
    variance = float(cv2.meanStdDev(reduced_grey)[1].item() ** 2)
    if variance < 1e-6:
        return 0.0
    neighbours = [(reduced_grey[:, 1:], reduced_grey[:, :-1]), (reduced_grey[1:], reduced_grey[:-1])]
    steps = [cv2.norm(a, b, cv2.NORM_L2SQR) / a.size for a, b in neighbours if a.size]
    return float(min(1.0, np.mean(steps) / (2 * variance)))


def blur(reduced_grey: np.ndarray) -> float:
    """How blurred, out of focus or by movement: log2 of the energy of second differences over four pixels over that of
    second differences over two, in the direction (of four) where it is largest. 0 to 4.

    Blur leaves only what is smooth at this scale, for which it is 4; an edge has 1, white noise 0, and so has a picture
    in which nothing varies. 0.8 to 1.9 for photographs, above 2 for what a moving camera smeared along a fortieth of
    its longer side, above 2.7 out of focus. The largest direction tells movement, which leaves the others sharp. Blur
    finer than a pixel of the reduced picture is for `clarity` to tell.
    """
    found = [0.0]
    for across, down in ((1, 0), (0, 1), (1, 1), (-1, 1)):
        two, four, eight = (_step(reduced_grey, across * n, down * n) for n in (2, 4, 8))
        # By the parallelogram law, (b − a) − (c − b) has the energy 2 (b − a)² + 2 (c − b)² − (c − a)².
        fine, coarse = max(0.0, 4 * two - four), max(0.0, 4 * four - eight)
        found.append(float(np.log2((coarse + _ROUNDING) / (fine + _ROUNDING))))
    return min(4.0, max(found))


def _step(grey: np.ndarray, across: int, down: int) -> float:
    """The mean squared difference of pixels so far apart; 0 where no two are."""
    height, width = grey.shape
    one = grey[: max(0, height - down), max(0, -across) : max(0, width - max(0, across))]
    other = grey[down:, max(0, across) : max(0, width + min(0, across))]
    return cv2.norm(one, other, cv2.NORM_L2SQR) / one.size if one.size else 0.0


def noise(grey: np.ndarray) -> float:
    """The standard deviation of noise in grey levels, 0 to about 100, after Immerkær (1996): √(π/2) / 6 of the mean
    response to the difference of two Laplacians, which structure hardly has, in tiles of 16 × 16 of the full-sized
    picture, up to 64 of them evenly spread.

    Noise is everywhere and structure is not, so the tile counts that a quarter of all are below. 0 to 3 for
    photographs, 10 where grass fills the picture.
    """
    size = min(_TILE, *grey.shape)
    if size < 3:
        return 0.0
    tops, lefts = (np.linspace(0, side - size, min(_TILES, side // size)).astype(int) for side in grey.shape)
    tiles = np.concatenate([grey[top : top + size, left : left + size] for top in tops for left in lefts])
    found = np.abs(cv2.filter2D(tiles, cv2.CV_16S, _STRUCTURELESS)).reshape(-1, size, size)[:, 1:-1, 1:-1]
    sums = np.sort(found.sum(axis=(1, 2), dtype=np.int32))
    return float(np.sqrt(np.pi / 2) / 6 * sums[len(sums) // 4] / (size - 2) ** 2)


def blockiness(grey: np.ndarray) -> float:
    """JPEG's 8 × 8 grid: how much larger the mean step across block edges is than at any other place of the grid.

    After Wang, Sheikh and Bovik (2002): 0 (no grid) upwards, the mean of both directions. The steps are compared with
    those of the strongest of the seven places inside the blocks, not with their mean, so that a picture which was
    enlarged by repeating pixels does not pass for a JPEG. The grid starts at the corner: a cropped picture shows less
    of it. Photographs at quality 90 stay under 0.1; quality 50 gives 0.2 to 0.5, quality 10 about 1 and more.
    """
    found = []
    if grey.shape[1] >= 16:
        lines = grey[::3]  # each has steps at every place; a third of them tell as much as all
        steps = cv2.reduce(cv2.absdiff(lines[:, 1:], lines[:, :-1]), 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0]
        found.append(_excess(steps[: len(steps) // 8 * 8].reshape(-1, 8).mean(0).tolist()))
    if grey.shape[0] >= 16:
        pairs = [(grey[place:-1:8], grey[place + 1 :: 8]) for place in range(8)]
        found.append(_excess([cv2.norm(above, below, cv2.NORM_L1) / above.size for above, below in pairs]))
    return max(0.0, sum(found) / len(found)) if found else 0.0


def _excess(means: Sequence[float]) -> float:
    """How much larger the last of eight means is than the largest of the others; 0 where nothing varies."""
    *inside, at_edges = means
    return at_edges / max(inside) - 1 if max(inside) > 1e-2 else 0.0


class Pixels:
    """The signal `pixels`."""

    Params = Params
    version = 6
    resources = Resources(cpus=1, memory=2 * GIB, batch=4)  # so few that they stay in the cache
    columns = pa.schema(
        [
            ("file_bytes", pa.int64()),
            ("aspect", pa.float32()),
            ("exif_orientation", pa.int8()),
            ("clarity", pa.float32()),
            ("luma", pa.float32()),
            ("saturation", pa.float32()),
            ("entropy", pa.float32()),
            ("texture", pa.float32()),
            ("blur", pa.float32()),
            ("noise", pa.float32()),
            ("clipped_dark", pa.float32()),
            ("clipped_bright", pa.float32()),
            ("colourfulness", pa.float32()),
            ("blockiness", pa.float32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        pass

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image) for image in images], schema=self.columns)

    def _one(self, image: Image) -> dict[str, float]:
        grey, reduced = image.grey, reduce(image.pixels)
        reduced_grey = cv2.cvtColor(reduced, cv2.COLOR_RGB2GRAY)
        dark, bright = clipped(grey)
        height, width = grey.shape
        return {
            "file_bytes": len(image.encoded),
            "aspect": width / height,
            "exif_orientation": image.orientation,
            "clarity": clarity(grey),
            "luma": luma(grey),
            "saturation": saturation(reduced),
            "entropy": entropy(image.pixels),
            "texture": texture(reduced_grey),
            "blur": blur(reduced_grey),
            "noise": noise(grey),
            "clipped_dark": dark,
            "clipped_bright": bright,
            "colourfulness": colourfulness(reduced),
            "blockiness": blockiness(grey),
        }
