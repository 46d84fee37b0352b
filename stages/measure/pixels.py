"""Pixel signals: what an image is worth before any model looks at it.

Quality filters of the report's second stage (clarity, luma, saturation, entropy, texture) and what stands beside
them: exposure clipping, colourfulness, JPEG blocks, and the file's own properties. Every value is defined by the
function that computes it and does not need a size of its own: clarity, luma, clipping, entropy and blockiness read
every pixel; saturation, colourfulness and texture read a reduction of the image. Together they cost less than half
of the decode.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pyarrow as pa

from dataengine.config import Config
from dataengine.stage import GIB, Image, Resources

_REDUCED_SIDE = 256
_DARK, _BRIGHT = 4, 251


class Params(Config):
    """Nothing to set: a threshold is for `select` to choose."""


def reduce(pixels: np.ndarray) -> np.ndarray:
    """The image by whole factors, each pixel the mean of a block, so that its longer side is 256 to 511 or as it was.

    What does not fill a block at the right and lower edge is left out. Whole factors are ten times as fast as others.
    """
    height, width = pixels.shape[:2]
    factor = max(height, width) // _REDUCED_SIDE
    if factor < 2:
        return pixels
    across, down = min(factor, width), min(factor, height)
    size = width // across, height // down
    return cv2.resize(pixels[: size[1] * down, : size[0] * across], size, interpolation=cv2.INTER_AREA)


def clarity(grey: np.ndarray) -> float:
    """Sharpness, ln(1 + variance of the Laplacian) of luma (Pech-Pacheco et al. 2000), on the report's log-like scale.

    0 for a flat image, about 2 for a badly blurred one, 4 to 8 for photographs, above 10 for noise. Higher is sharper.
    """
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    variance = cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - cv2.mean(edges)[0] ** 2
    return float(np.log1p(max(0.0, variance)))


def luma_histogram(grey: np.ndarray) -> np.ndarray:
    """Share of the pixels at each of the 256 levels of luma, float64 (256,)."""
    return _histogram(grey, 0)


def _histogram(pixels: np.ndarray, channel: int) -> np.ndarray:
    counts = cv2.calcHist([pixels], [channel], None, [256], [0, 256]).ravel().astype(np.float64)
    return counts / counts.sum()


def luma(histogram: np.ndarray) -> float:
    """Mean luma in 0 (black) to 1 (white)."""
    return float(histogram @ np.arange(256) / 255)


def clipped(histogram: np.ndarray) -> tuple[float, float]:
    """Shares of pixels that are all but black (luma ≤ 4) and all but white (≥ 251), each 0 to 1."""
    return float(histogram[: _DARK + 1].sum()), float(histogram[_BRIGHT:].sum())


def entropy(pixels: np.ndarray) -> float:
    """RGB entropy in bits: the mean of the Shannon entropies of the three channels' histograms, 0 (flat) to 8.

    Large uniform areas score low.
    """
    shares = np.stack([_histogram(pixels, channel) for channel in range(3)])
    return float(-(shares * np.log2(shares, out=np.zeros_like(shares), where=shares > 0)).sum() / 3) + 0.0


def saturation(reduced: np.ndarray) -> float:
    """Mean HSV saturation, (max − min) / max of the channels, 0 (grey) to 1."""
    return float(cv2.cvtColor(reduced, cv2.COLOR_RGB2HSV)[..., 1].mean() / 255)


def colourfulness(reduced: np.ndarray) -> float:
    """Hasler and Süsstrunk's M3 (2003): √(σ²rg + σ²yb) + 0.3 √(μ²rg + μ²yb), rg = R − G, yb = (R + G) / 2 − B.

    0 for grey, about 15 slightly, 45 averagely, above 80 very colourful.
    """
    red, green, blue = (reduced[..., c].astype(np.float32) for c in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def texture(reduced_grey: np.ndarray) -> float:
    """How noise-like: 1 − the correlation of neighbouring pixels, the mean of both directions, 0 to 1.

    About 0.02 to 0.2 for photographs, 0.5 for dense foliage or gravel, 1 for white noise; 0 where nothing varies.
    """
    values = reduced_grey.astype(np.float32)
    values -= values.mean()
    variance = float(np.vdot(values, values)) / values.size
    if variance < 1e-6:
        return 0.0
    neighbours = [(values[:, 1:], values[:, :-1]), (values[1:], values[:-1])]
    correlations = [cv2.multiply(a, b).mean() / variance for a, b in neighbours if a.size]
    return float(np.clip(1 - np.mean(correlations), 0, 1)) if correlations else 0.0


def blockiness(grey: np.ndarray) -> float:
    """JPEG's 8 × 8 grid: how much larger the mean step across block edges is than inside blocks, 0 (none) upwards.

    After Wang, Sheikh and Bovik (2002). The grid starts at the corner, so a cropped picture shows less of it.
    Photographs at quality 90 stay under 0.1; quality 10 gives 0.5 and more.
    """
    steps_across, steps_down = cv2.absdiff(grey[:, 1:], grey[:, :-1]), cv2.absdiff(grey[1:], grey[:-1])
    found = []
    if grey.shape[1] >= 16:
        means = cv2.reduce(steps_across, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
        found.append(_excess(float(means[7::8].mean()), float(means.mean())))
    if grey.shape[0] >= 16:
        found.append(_excess(cv2.mean(steps_down[7::8])[0], cv2.mean(steps_down)[0]))
    return max(0.0, float(np.mean(found))) if found else 0.0


def _excess(at_edges: float, overall: float) -> float:
    """The mean step at block edges over that within blocks, less 1, from the means at edges and of all steps."""
    inside = (8 * overall - at_edges) / 7
    return at_edges / inside - 1 if inside > 1e-2 else 0.0


class Pixels:
    """The signal `pixels`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=16)
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
        histogram = luma_histogram(grey)
        dark, bright = clipped(histogram)
        height, width = grey.shape
        return {
            "file_bytes": len(image.encoded),
            "aspect": width / height,
            "exif_orientation": image.orientation,
            "clarity": clarity(grey),
            "luma": luma(histogram),
            "saturation": saturation(reduced),
            "entropy": entropy(image.pixels),
            "texture": texture(reduce(grey)),
            "clipped_dark": dark,
            "clipped_bright": bright,
            "colourfulness": colourfulness(reduced),
            "blockiness": blockiness(grey),
        }
