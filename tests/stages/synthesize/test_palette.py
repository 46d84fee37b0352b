import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import StageError
from stages.synthesize import palette
from stages.synthesize.palette import COLOURS, Palette


def test_contrast_is_that_of_wcag():
    assert palette.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert palette.contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert palette.contrast((255, 0, 0), (255, 0, 0)) == 1


@given(seed=st.integers(0, 10_000), least=st.sampled_from([1.0, 4.5, 7.0, 12.0]))
def test_the_ink_is_legible_on_every_part_of_the_background(seed: int, least: float):
    rng = np.random.default_rng(seed)
    chosen = palette.choose(rng, least)
    painted = palette.paint(chosen, 90, 70, rng)
    assert chosen.contrast >= least
    corners = [tuple(map(int, painted[y, x])) for y in (0, 69) for x in (0, 89)]
    assert min(palette.contrast(COLOURS[chosen.ink], corner) for corner in corners) >= least * 0.93


def test_a_contrast_that_no_colours_reach_is_an_error():
    with pytest.raises(StageError, match="no two colours"):
        palette.choose(np.random.default_rng(0), 20.5)


@given(width=st.integers(1, 300), height=st.integers(1, 300), seed=st.integers(0, 99))
def test_a_gradient_runs_smoothly_from_one_end_to_the_other(width: int, height: int, seed: int):
    ends = ((20, 33, 78), (40, 60, 120))
    painted = palette.paint(Palette("navy blue", "white", ends, 9.0), width, height, np.random.default_rng(seed))
    assert painted.shape == (height, width, 3) and painted.dtype == np.uint8
    flat = painted.reshape(-1, 3).astype(int)
    assert (flat.min(axis=0) >= np.array(ends[0]) - 2).all() and (flat.max(axis=0) <= np.array(ends[1]) + 2).all()
    if width >= 64 and height >= 64:
        rows = painted.astype(float).mean(axis=1)
        assert np.abs(np.diff(rows, axis=0)).max() < 2


def test_a_flat_background_is_one_colour():
    painted = palette.paint(Palette("x", "black", ((1, 2, 3), (1, 2, 3)), 9.0), 31, 17, np.random.default_rng(0))
    assert (painted == (1, 2, 3)).all() and painted.shape == (17, 31, 3)
