import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import StageError
from stages.synthesize import backgrounds, palette
from stages.synthesize.palette import COLOURS


def test_contrast_is_that_of_wcag():
    assert palette.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert palette.contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert palette.contrast((255, 0, 0), (255, 0, 0)) == 1


@given(seed=st.integers(0, 10_000), least=st.sampled_from([1.0, 4.5, 7.0, 12.0]))
def test_the_ink_is_legible_on_every_part_of_the_background(seed: int, least: float):
    rng = np.random.default_rng(seed)
    chosen = palette.choose(rng, least)
    field = [None, *backgrounds.FIELDS][seed % (len(backgrounds.FIELDS) + 1)]
    painted = backgrounds.paint(chosen, field, 90, 70, rng)
    assert chosen.contrast >= least
    found = np.unique(painted.reshape(-1, 3), axis=0)
    ink = COLOURS[chosen.ink]
    assert (
        min(palette.contrast(ink, tuple(map(int, colour))) for colour in found[:: len(found) // 40 + 1]) >= least * 0.93
    )


def test_a_contrast_that_no_colours_reach_is_an_error():
    with pytest.raises(StageError, match="no two colours"):
        palette.choose(np.random.default_rng(0), 20.5)


@given(seed=st.integers(0, 500), least=st.sampled_from([3.0, 4.5, 7.0]))
def test_the_second_ink_and_what_highlights_are_legible_too(seed: int, least: float):
    rng = np.random.default_rng(seed)
    chosen = palette.choose(rng, least)
    assert palette.ratio(chosen, COLOURS[chosen.accent]) >= least
    marked = palette.highlight(rng, chosen.ink, least)
    assert marked is None or palette.contrast(COLOURS[chosen.ink], marked) >= least


def test_a_light_and_a_dark_ink_have_something_to_be_highlighted_with():
    rng = np.random.default_rng(0)
    assert palette.highlight(rng, "black", 4.5) and palette.highlight(rng, "white", 4.5)
