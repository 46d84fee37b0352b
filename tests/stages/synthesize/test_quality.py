"""What is measured in a finished picture: contrast in its pixels, sizes, overlaps and edges in its quadrilaterals."""

import cv2
import numpy as np
import pytest

from dataengine.errors import SampleError
from dataengine.sample import Paragraph, Spans
from fonts import catalog
from stages.synthesize import palette
from stages.synthesize.quality import examine, refuse
from stages.synthesize.typeset import Page, Style, Typesetter

TEXT = {
    "en": "Nothing is lost in the picture of a page.",
    "ar": "يولد جميع الناس أحرارا متساوين",
    "zh-Hans": "一切儿童都有权利",
}


def box(left: float, top: float, width: float, height: float) -> np.ndarray:
    right, bottom = left + width, top + height
    return np.array([left, top, right, top, right, bottom, left, bottom], np.float32)


def paragraph(texts: list[str], quads: list[np.ndarray], lines: list[tuple[int, int]] | None = None) -> Paragraph:
    """A paragraph of characters; `lines` are the ranges of them that stand on one line, all of them on one if None."""
    characters = Spans(texts, np.array(quads, np.float32).reshape(-1, 8))
    ranges = lines or [(0, len(texts))]
    firsts = [characters.quads[a] for a, _ in ranges if texts]
    spans = Spans(["".join(texts[a:b]) for a, b in ranges if texts], np.array(firsts, np.float32).reshape(-1, 8))
    return Paragraph("".join(texts), "en", "Latn", "Test 400", 20.0, 0, spans, spans, characters)


def stripes(ink: tuple[int, int, int], ground: tuple[int, int, int], grain: float = 0.0) -> np.ndarray:
    """Ten upright strokes as wide as a fifth of their boxes, on 240 × 60 pixels."""
    pixels = np.full((60, 240, 3), ground, np.uint8)
    for left in range(24, 224, 20):
        pixels[20:40, left : left + 4] = ink
    noise = np.random.default_rng(0).normal(0, grain, (60, 240, 1))
    return (pixels + noise).clip(0, 255).astype(np.uint8)


STROKES = paragraph(list("abcdefghij"), [box(20 + 20 * i, 20, 20, 20) for i in range(10)])


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ((0, 0, 0), (255, 255, 255)),
        ((255, 255, 255), (0, 0, 0)),
        ((118, 118, 118), (255, 255, 255)),
        ((250, 220, 0), (20, 40, 90)),
    ],
)
def test_contrast_is_that_of_the_two_colours(ink, ground):
    [found] = examine(stripes(ink, ground), [STROKES]).contrast
    assert found == pytest.approx(palette.contrast(ink, ground), rel=0.02)


def test_ink_no_stronger_than_the_grain_hardly_counts_and_strong_ink_is_little_less_for_it():
    assert examine(stripes((120, 120, 120), (120, 120, 120), grain=12), [STROKES]).least_contrast < 1.4
    smooth = examine(stripes((20, 20, 20), (200, 200, 200)), [STROKES]).least_contrast
    rough = examine(stripes((20, 20, 20), (200, 200, 200), grain=8), [STROKES]).least_contrast
    assert 0.7 * smooth < rough < 1.05 * smooth


def test_a_paragraph_is_as_faint_as_its_worst_fifth():
    pixels = stripes((0, 0, 0), (255, 255, 255))
    pixels[:, 160:] = 128
    pixels[20:40, 164:168] = pixels[20:40, 184:188] = pixels[20:40, 204:208] = 110
    [found] = examine(pixels, [STROKES]).contrast
    assert found == pytest.approx(palette.contrast((110,) * 3, (128,) * 3), rel=0.02)


def test_a_rule_close_by_is_not_taken_for_the_ground():
    pixels = stripes((0, 0, 0), (255, 255, 255))
    pixels[14:17] = 0
    assert examine(pixels, [STROKES]).least_contrast == pytest.approx(21, rel=0.02)


def test_punctuation_and_paragraphs_without_letters_have_no_contrast():
    found = examine(stripes((0, 0, 0), (255, 255, 255)), [STROKES, paragraph(["—"], [box(0, 50, 20, 4)])])
    assert found.contrast[0] > 20 and found.contrast[1] is None
    nothing = examine(np.zeros((9, 9, 3), np.uint8), [])
    assert (nothing.contrast, nothing.smallest, nothing.overlap, nothing.outside) == ((), None, 0, 0)
    refuse(nothing, 4.5, 12)


@pytest.mark.parametrize("language", TEXT)
def test_a_set_line_has_its_colours_contrast_and_its_height_whichever_way_it_runs(language: str):
    family = catalog.for_language(language)[0]
    setter = Typesetter([family])
    setting = setter.fit(TEXT[language], language, Style(family, family.weights[0]), 900, 80, 10, 40)
    page = Page(np.full((120, 960, 3), 255, np.uint8))
    drawn = setter.draw(page, setting, 30, 20, (0, 0, 0))
    one = Paragraph(setting.text, language, "", "", setting.size, 0, drawn.lines, drawn.words, drawn.characters)
    found = examine(page.pixels(), [one])
    height = np.ptp(drawn.lines.quads[0].reshape(4, 2)[:, 1])
    assert found.least_contrast > 12
    assert found.smallest == pytest.approx(height, rel=1e-3)
    assert found.outside == found.overlap == found.line_overlap == 0


def test_the_smallest_letter_is_found_and_one_alone_is_as_large_as_its_longer_side():
    sizes = paragraph(list("abc."), [box(0, 0, 9, 20), box(10, 0, 9, 12.5), box(20, 0, 30, 14), box(60, 0, 2, 2)])
    pixels = np.zeros((100, 100, 3), np.uint8)
    assert examine(pixels, [sizes]).smallest == 12.5
    assert examine(pixels, [paragraph(["一"], [box(10, 10, 40, 3)])]).smallest == 40
    arabic = [box(0, 0, 30, 12), box(30, 0, 30, 12)]
    assert examine(pixels, [paragraph(list("سم"), [np.roll(q, -2) for q in arabic])]).smallest == 12


def turned(quad: np.ndarray, degrees: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((50, 50), degrees, 1.0)
    return (quad.reshape(4, 2) @ matrix[:, :2].T + matrix[:, 2]).reshape(8).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90])
def test_overlaps_are_shares_of_the_smaller_quadrilateral_however_it_lies(degrees: float):
    one, other = turned(box(20, 20, 40, 40), degrees), turned(box(50, 40, 20, 40), degrees)
    pixels = np.zeros((200, 200, 3), np.uint8)
    between = examine(pixels, [paragraph(["a"], [one]), paragraph(["b"], [other])])
    assert (between.overlap, between.line_overlap) == (pytest.approx(10 * 20 / 800, rel=1e-3), 0)
    within = examine(pixels, [paragraph(["a", "b"], [one, other], [(0, 1), (1, 2)])])
    assert (within.line_overlap, within.overlap) == (pytest.approx(10 * 20 / 800, rel=1e-3), 0)
    kerned = examine(pixels, [paragraph(["a", "b"], [one, other])])
    assert kerned.line_overlap == kerned.overlap == 0


def test_boxes_that_meet_only_by_their_bounds_do_not_overlap():
    one, other = turned(box(20, 45, 60, 10), 45), turned(box(20, 65, 60, 10), 45)
    found = examine(np.zeros((200, 200, 3), np.uint8), [paragraph(["a"], [one]), paragraph(["b"], [other])])
    assert found.overlap == 0


def test_overlaps_are_those_of_trying_every_pair():
    rng = np.random.default_rng(1)
    quads = [turned(box(*rng.uniform(0, 300, 2), *rng.uniform(8, 40, 2)), rng.uniform(0, 90)) for _ in range(80)]
    parts = [paragraph(list("abcd"), quads[i : i + 4], [(0, 2), (2, 4)]) for i in range(0, 80, 4)]
    most = {True: 0.0, False: 0.0}
    for i in range(80):
        for j in range(i):
            one, other = quads[i].reshape(4, 2), quads[j].reshape(4, 2)
            if i // 2 != j // 2:
                area = cv2.intersectConvexConvex(one, other)[0]
                share = area / min(cv2.contourArea(one), cv2.contourArea(other))
                most[i // 4 == j // 4] = max(most[i // 4 == j // 4], share)
    found = examine(np.zeros((300, 300, 3), np.uint8), parts)
    assert found.overlap == pytest.approx(most[False], rel=1e-3) and found.line_overlap == pytest.approx(
        most[True], rel=1e-3
    )
    assert found.overlap > 0.1


def test_characters_beyond_the_edges_are_measured_in_pixels():
    pixels = np.zeros((100, 200, 3), np.uint8)
    assert examine(pixels, [paragraph(["a"], [box(0, 0, 200, 100)])]).outside == 0
    for quad, beyond in ((box(-3, 0, 10, 10), 3), (box(180, 95, 10, 10), 5), (box(195, 0, 12.5, 9), 7.5)):
        assert examine(pixels, [paragraph(["a"], [quad])]).outside == beyond


GOOD = paragraph(list("abcdefghij"), [box(20 + 20 * i, 20, 20, 20) for i in range(10)])


@pytest.mark.parametrize(
    ("contrast", "smallest", "others", "reason"),
    [
        (4.5, 14, [], None),
        (21, 55, [], "the smallest letter is 20.0 px high; 22.0 is the least"),
        (4.5, 14, [paragraph(["."], [box(230, 20, 20, 20)])], "10.0 px beyond"),
        (4.5, 14, [paragraph(["b"], [box(24, 24, 20, 20)])], "two paragraphs overlap"),
        (4.5, 14, [paragraph(["b", "c"], [box(20, 42, 9, 9), box(22, 44, 9, 9)], [(0, 1), (1, 2)])], "two lines"),
    ],
)
def test_what_is_not_good_enough_is_refused_with_the_reason(contrast, smallest, others, reason):
    pixels = stripes((0, 0, 0), (255, 255, 255))
    pixels[42:53:2] = 0
    found = examine(pixels, [GOOD, *others])
    if reason is None:
        refuse(found, contrast, smallest)
    else:
        with pytest.raises(SampleError, match=reason):
            refuse(found, contrast, smallest)


def test_faint_text_is_refused_and_named():
    pixels = stripes((200, 200, 200), (255, 255, 255))
    with pytest.raises(SampleError, match=r"paragraph 1 has a contrast of 1\.6\d in the picture; 2\.25 is the least"):
        refuse(examine(pixels, [STROKES]), 4.5, 14)
    refuse(examine(pixels, [STROKES]), 3.0, 14)


@pytest.mark.parametrize("others", [[], [GOOD]])
def test_a_paragraph_of_nothing_is_refused(others: list[Paragraph]):
    found = examine(stripes((0, 0, 0), (255, 255, 255)), [paragraph([], []), *others])
    with pytest.raises(SampleError, match="no character that could be seen"):
        refuse(found, 4.5, 14)


def test_facts_are_numbers_and_nulls():
    found = examine(stripes((0, 0, 0), (255, 255, 255)), [STROKES])
    assert found.facts() == {
        "measured_contrast": 21.0,
        "smallest_px": 20.0,
        "overlap": 0.0,
        "line_overlap": 0.0,
        "outside_px": 0.0,
    }
    assert examine(np.zeros((9, 9, 3), np.uint8), []).facts()["smallest_px"] is None
