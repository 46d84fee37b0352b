from collections.abc import Sequence

import numpy as np
import pytest

from dataengine.errors import SampleError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize.typeset import Block, Frame, Geometry, Page, Setting, Style, Typesetter, flow
from stages.synthesize.words import passages

COLUMNS = [Frame(40 + 240 * i, 30, 200, 640) for i in range(3)]
BANDS = [Frame(40, 30 + 330 * i, 640, 300) for i in range(2)]
SOFT = "\u00ad"


@pytest.fixture(scope="module")
def setter() -> Typesetter:
    return Typesetter([family for language in ("en", "ja", "ar") for family in catalog.for_language(language)])


def story(language: str, seed: int, vertical: bool = False, paragraphs: int = 6) -> list[Block]:
    rng = generator("flow", seed, 0)
    family = catalog.for_language(language)[0]
    blocks = []
    for number in range(paragraphs):
        if number % 3 == 0:
            text = passages.heading("udhr", language, 24, rng)
            heading = Style(family, max(family.weights), vertical=vertical)
            blocks.append(Block(text, language, heading, 1.5, 1.0 if number else 0.0, True))
        text = passages.passage("udhr", language, 60, 180, rng)
        body = Style(family, 400, "justify", indent=1.0, hyphenate=True, vertical=vertical)
        blocks.append(Block(text, language, body))
    return blocks


def drawn(setter: Typesetter, settings: Sequence[Setting]) -> list[Geometry]:
    page = Page(np.full((720, 800, 3), 255, np.uint8))
    return [setter.draw(page, setting, 0, 0, (0, 0, 0)) for setting in settings]


def frame_of(box: np.ndarray, frames: list[Frame]) -> int:
    """Which frame a line's box (left, top, right, bottom) lies in; within a pixel or two of ink over the edge."""
    inside = [
        f.x - 3 <= box[0] and box[2] <= f.x + f.width + 3 and f.y - 3 <= box[1] and box[3] <= f.y + f.height + 3
        for f in frames
    ]
    assert sum(inside) == 1, box
    return inside.index(True)


def boxes(geometry: Geometry) -> np.ndarray:
    corners = geometry.lines.quads.reshape(-1, 4, 2)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("language", "vertical", "frames"), [("en", False, COLUMNS), ("ar", False, COLUMNS[::-1]), ("ja", True, BANDS)]
)
def test_a_story_fills_its_frames_in_order_and_leaves_nothing_out(setter: Typesetter, language, vertical, frames, seed):
    blocks = story(language, seed, vertical)
    settings = flow(setter, blocks, frames, 6, 40).settings
    places = []
    for block, setting, geometry in zip(blocks, settings, drawn(setter, settings), strict=True):
        spelt = "".join(geometry.lines.texts).replace(SOFT, "").replace(" ", "")
        assert spelt == block.text.replace(" ", "")
        where = [frame_of(box, frames) for box in boxes(geometry)]
        assert where == sorted(where)
        lines = len(where)
        if lines >= 4 and not block.keep:
            assert all(where.count(frame) >= 2 for frame in set(where))  # no line alone
        else:
            assert len(set(where)) == 1
        if block.keep:
            places.append((where[-1], len(places)))
        assert setting.size == pytest.approx(settings[1].size * block.size)
    firsts = [frame_of(boxes(g)[0], frames) for g in drawn(setter, settings)]
    for number, block in enumerate(blocks[:-1]):
        if block.keep:
            assert firsts[number] == firsts[number + 1]  # a heading stands with its text


def test_the_size_is_about_the_largest_that_fits(setter: Typesetter):
    blocks = story("en", 1)
    size = flow(setter, blocks, COLUMNS, 6, 60).settings[1].size
    assert 0.8 * size < flow(setter, blocks, COLUMNS, 6, size * 0.9).settings[1].size <= size * 0.9
    with pytest.raises(SampleError, match="do not fit 3 frames"):
        flow(setter, blocks, COLUMNS, size * 1.2, 60)


def test_lines_of_all_columns_stand_apart(setter: Typesetter):
    geometries = drawn(setter, flow(setter, story("en", 2), COLUMNS, 6, 40).settings)
    found = np.concatenate([boxes(g) for g in geometries])
    for number, box in enumerate(found):
        others = np.delete(found, number, axis=0)
        across = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
        down = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
        assert not ((across > 0) & (down > 0.3 * (box[3] - box[1]))).any()


def test_a_story_that_is_too_long_is_refused(setter: Typesetter):
    with pytest.raises(SampleError, match="do not fit 1 frames at 30 px"):
        flow(setter, story("en", 0), COLUMNS[:1], 30, 40)


def test_frames_of_different_widths_are_refused(setter: Typesetter):
    with pytest.raises(ValueError, match="equally wide"):
        flow(setter, story("en", 0), [Frame(0, 0, 200, 600), Frame(300, 0, 250, 600)], 6, 40)
