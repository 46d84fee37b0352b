"""The NSFW score: a probability, the same for an image alone or in company, low for harmless photographs."""

import numpy as np
import pytest

from dataengine.decode import decode
from dataengine.models.nsfw import NsfwScorer
from demo.photographs import package_file

HARMLESS = ["skimage/astronaut.png", "skimage/coffee.png", "skimage/chelsea.png", "sklearn/china.jpg"]


@pytest.fixture(scope="module")
def scorer() -> NsfwScorer:
    return NsfwScorer()


def photographs() -> list[np.ndarray]:
    return [decode(package_file(name).read_bytes())[0] for name in HARMLESS]


def test_harmless_photographs_score_low(scorer: NsfwScorer) -> None:
    scores = scorer.score(photographs())
    assert scores.dtype == np.float32 and scores.shape == (4,)
    assert ((scores >= 0) & (scores < 0.2)).all()


def test_an_image_scores_the_same_alone_or_in_company_and_every_time(scorer: NsfwScorer) -> None:
    together = scorer.score(photographs())
    alone = np.concatenate([scorer.score([pixels]) for pixels in photographs()])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_array_equal(scorer.score(photographs()), together)


def test_different_images_score_differently(scorer: NsfwScorer) -> None:
    assert len(set(scorer.score(photographs()).tolist())) == 4


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (20, 20)])
def test_tiny_and_thin_images_have_a_score(scorer: NsfwScorer, size: tuple[int, int]) -> None:
    [score] = scorer.score([np.full((*size, 3), 200, np.uint8)])
    assert 0 <= score <= 1


def test_no_images_have_no_scores(scorer: NsfwScorer) -> None:
    assert scorer.score([]).shape == (0,)
