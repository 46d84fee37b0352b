import numpy as np
import pytest

from fonts import catalog
from stages.synthesize.typeset import Page, Style, Typesetter

SIZES = np.linspace(11, 50, 40)


@pytest.fixture(scope="module", params=["Roboto", "Open Sans"])
def family(request: pytest.FixtureRequest) -> catalog.Family:
    return next(family for family in catalog.families() if family.name == request.param)


def test_a_word_looks_the_same_whatever_was_drawn_before(family: catalog.Family):
    """More kinds of the font than cairo keeps glyphs of: those of the beginning are drawn anew at the end."""
    typesetter = Typesetter([family])

    def drawn(weight: int, width: int, size: float) -> bytes:
        layout = typesetter.fit("Handgloves spec", "en", Style(family, weight, stretch=width), 900, 200, size, size)
        page = Page(np.full((120, 900, 3), 255, np.uint8))
        typesetter.draw(page, layout, 10, 20, (0, 0, 0))
        return page.pixels().tobytes()

    first = [drawn(400, 100, size) for size in SIZES]
    for weight in family.weights:
        for width in family.widths:
            for size in SIZES:
                drawn(weight, width, size)
    assert [drawn(400, 100, size) for size in SIZES] == first
