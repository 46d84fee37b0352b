"""A user's own pictures: photographs to stand before, textures to write on."""

from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from dataengine.errors import StageError

_LARGEST = 1600  # pixels of the longer side that are kept in memory: 6 MB a picture
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@lru_cache(maxsize=12)
def load(path: Path) -> np.ndarray:
    """A picture as RGB uint8 (h, w, 3). Raises StageError when it is none."""
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (_LARGEST, _LARGEST))
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise StageError(f"{path} is not a picture that can be read: {error}", "take it off the list") from None
    found = np.asarray(upright)
    scale = _LARGEST / max(found.shape[:2])
    return cv2.resize(found, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else found


@cache
def listed(folder: Path) -> Sequence[Path]:
    """The pictures of a folder, by name. Raises StageError when there are none."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _ENDINGS) if folder.is_dir() else []
    if not found:
        raise StageError(f"{folder} holds no pictures", f"put some there: {', '.join(sorted(_ENDINGS))}")
    return found


def cover(path: Path, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """As large a part of a picture as has the wanted shape, at a place by lot, resized to width × height."""
    picture = load(path)
    have_height, have_width = picture.shape[:2]
    scale = min(have_width / width, have_height / height)
    part_width, part_height = max(1, int(width * scale)), max(1, int(height * scale))
    left = int(rng.integers(have_width - part_width + 1))
    top = int(rng.integers(have_height - part_height + 1))
    part = picture[top : top + part_height, left : left + part_width]
    shrinks = scale > 1
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
