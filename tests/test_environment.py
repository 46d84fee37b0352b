"""The installation itself: libraries that would silently spoil each other."""

from importlib.metadata import version

import cv2
import numpy as np
import pytest

from dataengine.doctor import opencv_distributions


def test_exactly_one_distribution_ships_opencv() -> None:
    """Four do, into the same folder: with two of them installed, files of both lie mixed and pip sees no conflict."""
    found = opencv_distributions()
    assert len(found) == 1, f"{sorted(found)} are all installed; `dataengine doctor` says which one to leave"


def test_opencv_works_and_is_the_version_that_its_distribution_says() -> None:
    [distribution] = opencv_distributions()
    assert version(distribution).startswith(cv2.__version__)
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[2:6, 2:6] = (255, 0, 0)
    assert cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[3, 3] == 76
    assert cv2.Laplacian(pixels[..., 0].copy(), cv2.CV_16S).any()
    assert cv2.dct(np.ones((8, 8), np.float32))[0, 0] == pytest.approx(8)
