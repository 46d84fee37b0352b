"""The OCR round trip: pages that read as they are annotated, and every way in which one may not."""

import math

import cv2
import numpy as np
import pyarrow as pa
import pytest

from dataengine.models.ocr import alphabet
from dataengine.sample import Paragraph, Sample, Spans, samples_table
from dataengine.stage import Image, find
from fonts import catalog
from stages.measure.reading import Params, Reading, chosen, error_rate, fold, strips
from stages.synthesize.typeset import Page, Style, Typesetter

TEXT = {
    "en": "All human beings are born free and equal in dignity; they “should” act—always.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "zh-Hans": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
}


@pytest.fixture(scope="module")
def reading() -> Reading:
    return Reading(Params(share=1))


def page(text: str, language: str, size: float = 30, vertical: bool = False) -> tuple[np.ndarray, Paragraph]:
    """Black text on white, 480 × 480 pixels, with its annotation."""
    family = catalog.for_language(language)[0]
    setter = Typesetter([family])
    style = Style(family, family.weights[0], vertical=vertical)
    setting = setter.fit(text, language, style, 400, 400, size, size)
    canvas = Page(np.full((480, 480, 3), 255, np.uint8))
    drawn = setter.draw(canvas, setting, 40, 40, (0, 0, 0))
    annotation = Paragraph(setting.text, language, "", "", size, 0, drawn.lines, drawn.words, drawn.characters)
    return canvas.pixels(), annotation


def moved(paragraph: Paragraph, transform) -> Paragraph:
    """The annotation with every corner (n, 2) moved."""

    def move(spans: Spans) -> Spans:
        return Spans(spans.texts, transform(spans.quads.reshape(-1, 2)).reshape(-1, 8).astype(np.float32))

    return Paragraph(**{**vars(paragraph), **{name: move(getattr(paragraph, name)) for name in PLACES}})


PLACES = ("lines", "words", "characters")


def image(pixels: np.ndarray, *paragraphs: Paragraph, sample_id: str = "a") -> Image:
    height, width = pixels.shape[:2]
    sample = Sample(sample_id, "s", "u", b"x", "png", width, height, text=paragraphs)
    return Image(sample_id, pixels, b"x", "png", annotation=samples_table([sample])["text"][0])


def read(reading: Reading, pixels: np.ndarray, *paragraphs: Paragraph) -> dict:
    [row] = reading.measure([image(pixels, *paragraphs)]).to_pylist()
    return row


def test_it_is_a_signal_under_its_registered_name():
    assert find("reading") is Reading


@pytest.mark.parametrize("language", TEXT)
def test_a_page_reads_as_it_is_annotated(reading: Reading, language: str):
    pixels, paragraph = page(TEXT[language], language)
    row = read(reading, pixels, paragraph)
    assert row["covered"] and row["cer"] == 0
    assert len(row["read_text"].split("\n")) == len(paragraph.lines.texts) > 1
    assert fold(row["read_text"]) == fold("".join(paragraph.lines.texts))


@pytest.mark.parametrize("language", ["ja", "zh-Hans"])
def test_letters_of_lines_that_run_downwards_are_read(reading: Reading, language: str):
    pixels, paragraph = page(TEXT[language], language, vertical=True)
    row = read(reading, pixels, paragraph)
    assert row["cer"] == 0 and fold(row["read_text"], letters=True) == fold(paragraph.content, letters=True)


@pytest.mark.parametrize("degrees", [-60, 20, 90, 180])
def test_turned_lines_are_read(reading: Reading, degrees: float):
    pixels, paragraph = page(TEXT["en"], "en")
    matrix = cv2.getRotationMatrix2D((240, 240), degrees, 0.8)
    pixels = cv2.warpAffine(pixels, matrix, (480, 480), borderValue=(255, 255, 255))
    turned = moved(paragraph, lambda corners: corners @ matrix[:, :2].T + matrix[:, 2])
    assert read(reading, pixels, turned)["cer"] == 0


def test_lines_in_perspective_are_read(reading: Reading):
    pixels, paragraph = page(TEXT["en"], "en")
    corners = np.array([[0, 0], [480, 0], [480, 480], [0, 480]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, np.array([[90, 60], [400, 0], [470, 470], [0, 380]], np.float32))
    pixels = cv2.warpPerspective(pixels, matrix, (480, 480), borderValue=(255, 255, 255))
    seen = moved(paragraph, lambda points: cv2.perspectiveTransform(points[None].astype(np.float64), matrix)[0])
    assert read(reading, pixels, seen)["cer"] == 0


def test_curved_lines_are_read_along_their_characters(reading: Reading):
    pixels, paragraph = page(TEXT["en"], "en")

    def wave(x: np.ndarray) -> np.ndarray:
        return 24 * np.sin(x / 480 * 2 * math.pi)

    x, y = np.meshgrid(np.arange(480, dtype=np.float32), np.arange(480, dtype=np.float32))
    bent = cv2.remap(pixels, x, (y - wave(x)).astype(np.float32), cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    curved = moved(paragraph, lambda corners: corners + np.stack([0 * corners[:, 0], wave(corners[:, 0])], axis=1))
    assert read(reading, bent, curved)["cer"] == 0
    straight = list(strips(pixels, paragraph))
    for a, b in zip(straight, strips(bent, curved), strict=True):
        assert a.shape[1] <= b.shape[1] < 1.1 * a.shape[1]  # a wave is longer than its chord
        ink = [np.flatnonzero((s < 128).any(axis=(1, 2))) for s in (a, b)]
        assert abs(ink[0].min() - ink[1].min()) <= 3 and abs(ink[0].max() - ink[1].max()) <= 3


def test_the_wrong_place_and_the_wrong_text_are_errors(reading: Reading):
    pixels, paragraph = page(TEXT["en"], "en")
    away = moved(paragraph, lambda corners: corners + np.array([0, 200]))
    assert read(reading, pixels, away)["cer"] > 0.5
    lines = Spans([text[::-1] for text in paragraph.lines.texts], paragraph.lines.quads)
    assert read(reading, pixels, Paragraph(**{**vars(paragraph), "lines": lines}))["cer"] > 0.5


def test_capitals_that_are_annotated_as_small_letters_are_errors(reading: Reading):
    pixels, paragraph = page("BORN FREE AND EQUAL", "en")
    assert read(reading, pixels, paragraph)["cer"] == 0
    small = Spans([text.lower() for text in paragraph.lines.texts], paragraph.lines.quads)
    assert read(reading, pixels, Paragraph(**{**vars(paragraph), "lines": small}))["cer"] > 0.5


def test_covered_blurred_and_faint_text_has_errors(reading: Reading):
    pixels, paragraph = page(TEXT["en"], "en", size=24)
    covered = pixels.copy()
    covered[:, 200:300] = 90
    assert 0.1 < read(reading, covered, paragraph)["cer"] < 0.6
    assert read(reading, cv2.GaussianBlur(pixels, (0, 0), 6), paragraph)["cer"] > 0.3
    assert read(reading, np.full_like(pixels, 255), paragraph)["cer"] == 1


def test_text_beyond_the_edge_is_an_error_and_no_crash(reading: Reading):
    pixels, paragraph = page(TEXT["en"], "en")
    cut = moved(paragraph, lambda corners: corners - np.array([0, 60]))
    assert read(reading, np.ascontiguousarray(pixels[60:]), cut)["cer"] > 0


@pytest.mark.parametrize(
    ("text", "language"), [("Все люди рождаются", "ru"), ("سلام", "ar"), ("Tất cả mọi người", "vi"), ("ค", "th")]
)
def test_text_that_the_recogniser_does_not_know_is_not_read(reading: Reading, text: str, language: str):
    spans = Spans([text], np.array([[0, 0, 90, 0, 90, 20, 0, 20]], np.float32))
    known = page(TEXT["en"], "en")[1]
    row = read(reading, np.zeros((40, 100, 3), np.uint8), Paragraph(text, language, "", "", 20, 0, *[spans] * 3), known)
    assert row == {"cer": None, "read_text": None, "covered": False}


def test_quotation_marks_that_are_not_in_the_alphabet_are_no_errors(reading: Reading):
    assert "„" not in alphabet() and "ä" in alphabet()
    pixels, paragraph = page("„Wäre“ – sagt’s", "en")
    assert read(reading, pixels, paragraph)["cer"] == 0


def test_pictures_without_annotation_and_those_outside_the_share_are_null():
    reading = Reading(Params(share=0.25))
    pixels, paragraph = page("Words", "en")
    ids = [f"id{n}" for n in range(12)]
    rows = reading.measure([image(pixels, paragraph, sample_id=i) for i in ids]).to_pylist()
    nothing = dict.fromkeys(Reading.columns.names)
    assert [row != nothing for row in rows] == [chosen(i, 0.25) for i in ids]
    assert 0 < sum(row["cer"] == 0 for row in rows) < 8
    taken = next(i for i in ids if chosen(i, 0.25))
    assert (
        reading.measure([image(pixels, sample_id=taken), Image(taken, pixels, b"", "png")]).to_pylist() == [nothing] * 2
    )


def test_a_share_is_about_that_of_the_samples_and_within_any_larger_one():
    ids = [f"{n:032x}" for n in range(4000)]
    tenth, third = ([i for i in ids if chosen(i, share)] for share in (0.1, 0.3))
    assert 330 < len(tenth) < 470 and 1100 < len(third) < 1300
    assert set(tenth) < set(third) and all(chosen(i, 1.0) for i in ids)


def test_errors_are_counted_line_by_line():
    across = [False, False]
    assert error_rate(["abcd", "efgh"], ["abcd", "efgh"], across) == 0
    assert error_rate(["abcd", "efgh"], ["efgh", "abcd"], across) == 1
    assert error_rate(["abcd", "ef"], ["abxd", "f"], across) == pytest.approx(2 / 6)
    assert error_rate(["a, b", "c, d"], ["a b", "c d"], [False, True]) == pytest.approx(1 / 5)
    assert error_rate(["ab"], ["abcdef"], [False]) == 2
    assert error_rate(["  "], [""], [False]) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cosy vows", "cOSy VOwS"),
        ("Ö ś Ž", "ö Ś ž"),
        ("ｆｕｌｌ，１２", "full,12"),
        ("“a” ‘b’", "\"a\" 'b'"),
        ("„a“", "a''"),
        ("divi\u00ad", "divi-"),
        ("a — b", "a-b"),
        ("コーヒー", "コ一ヒ一"),
        ("• one", "·one"),
        ("ﬁn", "fin"),
        ("e\u0301", "é"),
    ],
)
def test_what_shapes_do_not_tell_is_folded(one: str, other: str):
    assert fold(one) == fold(other)


def test_what_shapes_tell_is_kept():
    assert len({fold(t) for t in ("a", "A", "á", "o", "0", "l", "1", "İ", "i", "ı", "。", ".", "、", ",")}) == 14


def test_measuring_together_or_one_by_one_gives_the_same_rows(reading: Reading):
    images = [image(*page(text, language), sample_id=language) for language, text in TEXT.items()]
    together = reading.measure(images)
    assert together.schema == Reading.columns == pa.schema(Reading.columns)
    assert together.to_pylist() == [reading.measure([one]).to_pylist()[0] for one in images]
