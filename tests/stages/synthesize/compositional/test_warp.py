import cv2
import numpy as np
import pytest

from stages.synthesize.compositional import warp
from stages.synthesize.compositional.warp import Bend, Chain, Homography

WIDTH, HEIGHT = 300, 200


def fold() -> Bend:
    at = np.array([0.0, 90, 200])
    return Bend.of(1, at, np.array([0.0, 80, 185]), np.array([0.0, 6, -9]))


def roll() -> Bend:
    rise = 20 * np.linspace(0, 1, 41) ** 2
    return warp.curve(0, WIDTH, rise, (0.1, -0.6))


def chain(*bends: Bend) -> Chain:
    found = Chain(bends, warp.tilt(WIDTH, HEIGHT, 14, -11, 5))
    return warp.into(found, warp.edge(WIDTH, HEIGHT), (20, 30, 380, 300), (0.5, 0.5))


CHAINS = {"flat": chain(), "folded": chain(fold()), "rolled": chain(roll()), "both": chain(fold(), roll())}


@pytest.mark.parametrize("name", CHAINS)
def test_the_inverse_undoes_the_map(name: str):
    places = warp.grid(0, 0, WIDTH, HEIGHT, 23)
    there = CHAINS[name].forward(places)
    assert np.abs(there - places).max() > 5
    assert np.allclose(CHAINS[name].inverse(there), places, atol=1e-6)


@pytest.mark.parametrize("name", CHAINS)
def test_pixels_go_where_points_go(name: str):
    """A small blob on the sheet is found where its middle is mapped to."""
    for x, y in ((40.0, 30.0), (150.0, 95.0), (262.0, 171.0)):
        sheet = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.circle(sheet, (round(x * 16) - 8, round(y * 16) - 8), 3 * 16, 255, -1, cv2.LINE_AA, 4)
        seen = warp.warp(sheet.astype(np.uint8), CHAINS[name], (10, 5, 410, 330)).astype(float)
        rows, columns = np.mgrid[0 : seen.shape[0], 0 : seen.shape[1]]
        middle = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum() + 0.5 + [10, 5]
        assert np.abs(middle - CHAINS[name].forward(np.array([[x, y]]))[0]).max() < 0.35


def test_nothing_is_seen_beyond_the_sheet():
    sheet = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for found in CHAINS.values():
        seen = warp.warp(sheet, found, (0, 0, 400, 330))
        outline = found.forward(warp.edge(WIDTH, HEIGHT, 200)).astype(np.float32)
        inside = np.zeros_like(seen)
        cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 255)
        assert not seen[cv2.dilate(inside, np.ones((5, 5), np.uint8)) == 0].any()
        assert (seen[cv2.erode(inside, np.ones((5, 5), np.uint8)) == 255] == 255).all()


def test_a_view_fills_its_place_and_no_more():
    for found in CHAINS.values():
        outline = found.forward(warp.edge(WIDTH, HEIGHT))
        low, high = outline.min(axis=0), outline.max(axis=0)
        assert (low >= [20 - 1e-6, 30 - 1e-6]).all() and (high <= [380 + 1e-6, 300 + 1e-6]).all()
        assert np.isclose(high - low, [360, 270]).any()


def test_a_finer_sheet_is_seen_alike():
    found = CHAINS["both"]
    places = warp.grid(0, 0, WIDTH, HEIGHT)
    assert np.allclose(found.finer(1.7).forward(places * 1.7), found.forward(places))


def test_scales_of_a_plain_enlargement():
    found = Chain((), Homography(np.diag([3.0, 2.0, 1.0])))
    places = warp.grid(0, 0, WIDTH, HEIGHT)
    assert np.isclose(found.least_scale(places), 2)
    assert np.isclose(found.mean_scale(places), np.sqrt(6))


def test_a_rolled_sheet_keeps_its_length():
    """Seen from straight above, each part that rises is as much shorter as it is steep."""
    rise = np.array([0.0, 30, 30])
    found = warp.curve(0, 100, rise, (0.0, 0.0))
    assert np.allclose(np.diff(found.along[1:-1]), [40, 50])
