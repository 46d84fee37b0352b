"""What is said of the text in a picture: scripts, areas, sizes and counts, from lines and from real readings."""

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from dataengine.decode import decode
from dataengine.models.ocr import Line
from dataengine.stage import Image
from demo.photographs import package_file
from fonts.catalog import families
from stages.measure.ocr import Ocr, Params, quad_area, script, sides, summarise


def line(text: str, confidence: float, left: float, top: float, right: float, bottom: float) -> Line:
    return Line(text, confidence, np.array([left, top, right, top, right, bottom, left, bottom], np.float32))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The quick brown fox", "Latn"),
        ("Größe, café, Tiếng Việt", "Latn"),
        ("天地玄黃,宇宙洪荒", "Hani"),
        ("東京へ行きます", "Jpan"),
        ("カメラ", "Jpan"),
        ("세종대왕", "Hang"),
        ("Съешь ещё этих булок", "Cyrl"),
        ("صباح الخير", "Arab"),
        ("नमस्ते दुनिया", "Deva"),
        ("สวัสดีชาวโลก", "Thai"),
        ("Ελλάδα", "Grek"),
        ("שלום", "Hebr"),
        ("iPhone 手机壳包邮优惠", "Hani"),
        ("CamScanner 扫描", "Latn"),
        ("12:30 — 100%", None),
        ("", None),
    ],
)
def test_script_is_the_dominant_one_of_the_letters(text: str, wanted: str | None) -> None:
    assert script(text) == wanted


def test_area_is_that_of_the_quadrilateral_whichever_way_it_is_turned() -> None:
    assert quad_area(np.array([0, 0, 10, 0, 10, 4, 0, 4], np.float32)) == 40
    assert quad_area(np.array([0, 4, 10, 4, 10, 0, 0, 0], np.float32)) == 40
    assert quad_area(np.array([5, 0, 10, 5, 5, 10, 0, 5], np.float32)) == 50


def test_the_sides_are_those_of_lines_across_down_and_aslant() -> None:
    assert sides(np.array([0, 0, 100, 0, 100, 12, 0, 12], np.float32)) == (12, 100)
    assert sides(np.array([0, 0, 12, 0, 12, 100, 0, 100], np.float32)) == (12, 100)
    assert sides(np.array([0, 0, 80, 60, 74, 68, -6, 8], np.float32)) == pytest.approx((10, 100))


def test_a_summary_counts_what_is_believed_and_the_area_of_all() -> None:
    lines = [line("Two words", 0.9, 0, 0, 100, 20), line("字", 0.8, 0, 30, 10, 40), line("?!", 0.2, 0, 50, 50, 55)]
    row = summarise(lines, 200, 100, min_confidence=0.5)
    assert row["ocr_text"] == "Two words\n字"
    assert row["character_count"] == 9
    assert row["ocr_confidence"] == pytest.approx((0.9 * 8 + 0.8 * 1) / 9)
    assert row["text_script"] == "Latn"
    assert row["min_character_px"] == 10  # of the believed ones: the doubtful line is lower still
    assert row["text_area"] == pytest.approx((2000 + 100 + 250) / 20000)
    assert [li["script"] for li in row["ocr_lines"]] == ["Latn", "Hani", None]


def test_a_single_character_must_be_sure_and_a_doubtful_find_must_have_the_shape_of_a_line() -> None:
    round_thing, long_line = line("O", 0.7, 0, 0, 100, 90), line("", 0.0, 0, 0, 100, 20)
    doubtful = summarise([round_thing], 200, 100, min_confidence=0.5)
    assert doubtful["text_area"] == doubtful["character_count"] == 0 and len(doubtful["ocr_lines"]) == 1
    assert summarise([line("O", 0.8, 0, 0, 100, 90)], 200, 100, 0.5)["text_area"] == pytest.approx(0.45)
    assert summarise([line("OK", 0.7, 0, 0, 100, 90)], 200, 100, 0.5)["character_count"] == 2
    unread = summarise([long_line], 200, 100, min_confidence=0.5)  # as Arabic is
    assert unread["text_area"] == pytest.approx(0.1) and unread["character_count"] == 0


def test_a_picture_without_lines_has_zeros_and_nulls() -> None:
    row = summarise([], 200, 100, min_confidence=0.5)
    assert row["ocr_lines"] == [] and row["ocr_text"] == ""
    assert row["text_area"] == row["character_count"] == 0
    assert row["ocr_confidence"] is row["text_script"] is row["min_character_px"] is None


def test_lines_that_overlap_never_cover_more_than_the_picture() -> None:
    row = summarise([line("a", 1, 0, 0, 100, 100)] * 3, 100, 100, min_confidence=0.5)
    assert row["text_area"] == 1


# With the model


@pytest.fixture(scope="module")
def ocr() -> Ocr:
    return Ocr(Params())


def drawn(text: str, language: str, size: int) -> Image:
    family = next(f for f in families() if language in f.languages)
    picture = Picture.new("RGB", (640, 200), "white")
    font = ImageFont.truetype(family.paths()[0], size, index=family.face)
    ImageDraw.Draw(picture).text((40, 60), text, fill="black", font=font)
    return Image(text, np.asarray(picture), b"", "png")


def photograph(name: str) -> Image:
    encoded = package_file(name).read_bytes()
    return Image(name, decode(encoded)[0], encoded, "png")


def test_drawn_text_is_summarised_with_its_script_and_size(ocr: Ocr) -> None:
    english, chinese = ocr.measure([drawn("Forty pixels", "en", 40), drawn("春眠不觉晓", "zh-Hans", 60)]).to_pylist()
    assert (english["ocr_text"], english["text_script"], english["character_count"]) == ("Forty pixels", "Latn", 11)
    assert (chinese["ocr_text"], chinese["text_script"], chinese["character_count"]) == ("春眠不觉晓", "Hani", 5)
    assert 30 < english["min_character_px"] < 60 < chinese["min_character_px"] < 90
    assert 0.03 < english["text_area"] < 0.15


def test_smaller_letters_have_a_smaller_height_and_area(ocr: Ocr) -> None:
    rows = ocr.measure([drawn("Letters", "en", size) for size in (18, 36, 72)]).to_pylist()
    for signal in ("min_character_px", "text_area"):
        assert rows[0][signal] < rows[1][signal] < rows[2][signal]


@pytest.mark.parametrize(
    "name", ["skimage/chelsea.png", "skimage/coffee.png", "skimage/horse.png", "sklearn/china.jpg"]
)
def test_photographs_without_writing_have_no_text(ocr: Ocr, name: str) -> None:
    [row] = ocr.measure([photograph(name)]).to_pylist()
    assert row["character_count"] == row["text_area"] == 0


def test_a_scanned_page_has_much_text(ocr: Ocr) -> None:
    [page] = ocr.measure([photograph("skimage/page.png")]).to_pylist()
    assert "Region-based segmentation" in page["ocr_text"]
    assert page["character_count"] > 150 and page["text_area"] > 0.2


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "Съешь ещё этих булок"),
        ("ar", "صباح الخير يا عالم"),
        ("hi", "नमस्ते दुनिया कैसे हो"),
        ("ko", "세종대왕 훈민정음"),
    ],
)
def test_lines_in_scripts_that_cannot_be_read_still_cover_area(ocr: Ocr, language: str, text: str) -> None:
    [row] = ocr.measure([drawn(text, language, 48)]).to_pylist()
    assert 0.03 < row["text_area"] < 0.4


def test_measuring_together_or_one_by_one_gives_the_same_rows(ocr: Ocr) -> None:
    images = [drawn("First", "en", 40), photograph("skimage/chelsea.png"), drawn("字典", "zh-Hans", 50)]
    together = ocr.measure(images)
    assert together.schema == Ocr.columns
    assert together.to_pylist() == [ocr.measure([image]).to_pylist()[0] for image in images]


def test_a_line_below_the_least_confidence_is_kept_but_not_believed() -> None:
    strict = Ocr(Params(min_confidence=1.0))
    [row] = strict.measure([drawn("Forty pixels", "en", 40)]).to_pylist()
    assert len(row["ocr_lines"]) == 1 and row["text_area"] > 0
    assert row["ocr_text"] == "" and row["character_count"] == 0


def test_a_summary_tells_language_marks_and_what_the_caption_says() -> None:
    lines = [line("Grand Opening", 0.9, 0, 0, 100, 20), line("© photos.com", 0.3, 0, 50, 50, 60)]
    row = summarise(lines, 400, 100, min_confidence=0.5, caption="A sign that reads “Grand opening”")
    assert row["text_split"] == "en" and row["text_in_caption"] == 1
    assert row["min_character_share"] == pytest.approx(20 / 200)
    assert row["watermark_text"] == "© photos.com"  # faint as it is
    assert summarise(lines, 400, 100, 0.5)["text_in_caption"] is None
    assert summarise(lines, 400, 100, 0.5, "A grand hall")["text_in_caption"] == 0.5
