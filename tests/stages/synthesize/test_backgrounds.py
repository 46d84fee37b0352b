import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.synthesize import backgrounds
from stages.synthesize.palette import Palette

ENDS = ((20, 33, 78), (40, 60, 120))
SHADED = Palette("navy blue", "white", ENDS, 9.0, "white")


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    seed=st.integers(0, 99),
    field=st.sampled_from(list(backgrounds.FIELDS)),
)
def test_a_background_stays_between_its_two_colours(width: int, height: int, seed: int, field: str):
    painted = backgrounds.paint(SHADED, field, width, height, np.random.default_rng(seed))
    assert painted.shape == (height, width, 3) and painted.dtype == np.uint8
    flat = painted.reshape(-1, 3).astype(int)
    assert (flat.min(axis=0) >= np.array(ENDS[0]) - 2).all() and (flat.max(axis=0) <= np.array(ENDS[1]) + 2).all()


@pytest.mark.parametrize("field", ["a soft gradient", "a soft glow", "soft clouds"])
def test_soft_backgrounds_have_no_steps(field: str):
    for seed in range(5):
        painted = backgrounds.paint(SHADED, field, 400, 300, np.random.default_rng(seed)).astype(float)
        means = painted.reshape(30, 10, 40, 10, 3).mean(axis=(1, 3))
        assert np.abs(np.diff(means, axis=0)).max() < 8 and np.abs(np.diff(means, axis=1)).max() < 8
        assert np.ptp(painted[..., 2]) > 8  # and are not flat


def test_pages_of_one_texture_differ_and_repeat_by_their_seed():
    one, again, other = (
        backgrounds.paint(SHADED, "a fine grain", 200, 200, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (one == again).all() and (one != other).mean() > 0.2


def test_a_flat_background_is_one_colour():
    flat = Palette("x", "black", ((1, 2, 3), (1, 2, 3)), 9.0, "black")
    for field in (None, "soft clouds"):
        painted = backgrounds.paint(flat, field, 31, 17, np.random.default_rng(0))
        assert (painted == (1, 2, 3)).all() and painted.shape == (17, 31, 3)
