"""What is said of the text in a picture: scripts, areas, sizes and counts, from lines and from real readings."""

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from dataengine.decode import decode
from dataengine.errors import StageError
from dataengine.models import tesseract
from dataengine.models.ocr import Line, model_folders
from dataengine.stage import Image
from demo.photographs import package_file
from fonts.catalog import families
from stages.measure.ocr import Ocr, Other, Params, cut, quad_area, script, sides, summarise


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


OTHERS = {
    "ko": ("kor", "Hang", "오늘은 날씨가 매우 좋습니다"),
    "ru": ("rus", "Cyrl", "Съешь ещё этих мягких булок"),
    "hi": ("hin", "Deva", "नमस्ते दुनिया आज अच्छा दिन"),
    "th": ("tha", "Thai", "สวัสดีชาวโลกวันนี้อากาศดี"),
    "ar": ("ara", "Arab", "صباح الخير أيها العالم"),
}
needs_data = pytest.mark.skipif(
    tesseract.missing([code for code, *_ in OTHERS.values()]) is not None,
    reason="Tesseract's language data are not on this machine",
)


@pytest.fixture(scope="module")
def with_others() -> Ocr:
    codes, scripts = [code for code, *_ in OTHERS.values()], [script for _, script, _ in OTHERS.values()]
    return Ocr(Params(others=[Other(tesseract=codes, scripts=scripts)]))


@needs_data
@pytest.mark.parametrize("language", OTHERS)
def test_what_the_recogniser_does_not_know_is_read_by_tesseract(ocr: Ocr, with_others: Ocr, language: str) -> None:
    _, wanted, text = OTHERS[language]
    [without] = ocr.measure([drawn(text, language, 36)]).to_pylist()
    [row] = with_others.measure([drawn(text, language, 36)]).to_pylist()
    assert without["ocr_text"] != text
    assert "".join(row["ocr_text"].split()) == "".join(text.split())
    assert (row["text_script"], row["text_split"]) == (wanted, "other")
    assert row["ocr_confidence"] > 0.7
    np.testing.assert_array_equal(row["ocr_lines"][0]["quad"], without["ocr_lines"][0]["quad"])


@needs_data
@pytest.mark.parametrize(("text", "language"), [("The quick brown fox", "en"), ("天地玄黄宇宙洪荒", "zh-Hans")])
def test_what_it_knows_stays_as_it_was_read(ocr: Ocr, with_others: Ocr, text: str, language: str) -> None:
    image = drawn(text, language, 36)
    assert with_others.measure([image]).to_pylist() == ocr.measure([image]).to_pylist()


@needs_data
def test_images_that_are_read_together_are_read_as_one_by_one(with_others: Ocr) -> None:
    images = [drawn(text, language, 36) for language, (_, _, text) in OTHERS.items()]
    images.insert(2, drawn("Nothing else", "en", 30))
    images.append(Image("tiny", np.zeros((4, 9, 3), np.uint8), b"", "png"))
    together = with_others.measure(images).to_pylist()
    assert together == [with_others.measure([image]).to_pylist()[0] for image in images]


@needs_data
def test_tesseract_reads_whole_pictures_too() -> None:
    [row] = Ocr(Params(engine="tesseract", languages=["rus"])).measure([drawn(OTHERS["ru"][2], "ru", 36)]).to_pylist()
    assert row["ocr_text"] == OTHERS["ru"][2] and row["text_script"] == "Cyrl"
    left, top, *_ = row["ocr_lines"][0]["quad"]
    assert 30 < left < 50 and 55 < top < 85


def test_another_model_of_paddleocr_reads_lines_in_doubt() -> None:
    """The bundled recogniser as its own help: what it reads of a line cut out is what it reads in the picture."""
    other = Other(model=str(model_folders()["rec"]), scripts=["Latn"])
    signal = Ocr(Params(others=[other], doubt=1.0, recognition=str(model_folders()["rec"]), line_batch=4))
    [row] = signal.measure([drawn("The quick brown fox", "en", 36)]).to_pylist()
    assert row["ocr_text"] == "The quick brown fox" and row["ocr_confidence"] > 0.9


def test_a_picture_that_stands_on_its_head_is_read_where_that_is_asked_for(ocr: Ocr) -> None:
    upright = drawn("Walking on the ceiling", "en", 36)
    image = Image("id", np.ascontiguousarray(upright.pixels[::-1, ::-1]), b"", "png")
    signal = Ocr(Params(upside_down=True))
    [blind], [row] = (one.measure([image]).to_pylist() for one in (ocr, signal))
    assert blind["ocr_text"] != "Walking on the ceiling" == row["ocr_text"]
    quad = np.reshape(row["ocr_lines"][0]["quad"], (4, 2))
    assert quad[0, 0] > quad[1, 0] and quad[0, 1] > quad[3, 1]  # reading starts at the lower right
    assert signal.measure([upright]).to_pylist() == ocr.measure([upright]).to_pylist()


def test_a_line_is_cut_out_along_its_quad() -> None:
    """A line at an angle of 30 degrees comes out straight."""
    flat = drawn("Straight on", "en", 40).pixels
    turned = np.asarray(Picture.fromarray(flat).rotate(-30, expand=True, fillcolor="white"))
    corners = np.array([[30, 50], [320, 50], [320, 115], [30, 115]]) - np.array(flat.shape[1::-1]) / 2
    angle = np.radians(30)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    quad = (corners @ rotation + np.array(turned.shape[1::-1]) / 2).reshape(8)
    strip = cut(turned, quad.astype(np.float32))
    assert abs(strip.shape[1] - 300) < 6 and abs(strip.shape[0] - 75) < 6
    margin = round(0.08 * 65)
    whole = flat[50 - margin : 115 + margin, 30 - margin : 320 + margin]
    same = np.asarray(Picture.fromarray(strip).resize(whole.shape[1::-1])).astype(float)
    assert np.abs(same - whole).mean() < 12


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"engine": "tesseract"}, "`languages` are for"),
        ({"languages": ["rus"]}, "`languages` are for"),
        ({"engine": "tesseract", "languages": ["rus"], "recognition": "x"}, "are for `engine: paddle`"),
        ({"others": [{"scripts": ["Cyrl"]}]}, "give either `model` or `tesseract`"),
        ({"others": [{"model": "x", "tesseract": ["rus"], "scripts": ["Cyrl"]}]}, "give either"),
    ],
)
def test_what_makes_no_sense_is_refused(keys: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Params(**keys)


def test_what_is_not_there_is_named_with_what_to_do(tmp_path) -> None:
    fault = Ocr.missing(Params(others=[Other(tesseract=["xyz", "chi_old"], scripts=["Cyrl"])]))
    assert fault and "xyz, chi_old" in fault.message and "tesseract-ocr-xyz tesseract-ocr-chi-old" in fault.remedy
    unknown = Params(recognition=str(tmp_path))
    assert (fault := Ocr.missing(unknown)) and "is no model of PaddleOCR" in fault.message
    with pytest.raises(StageError, match=r"is no model of PaddleOCR(?s:.)*inference.yml"):
        Ocr(unknown)
    (tmp_path / "inference.yml").write_text("Global: {model_name: PP-OCRv5_mobile_rec}")
    with pytest.raises(StageError, match="has no weights"):
        Ocr(Params(others=[Other(model=str(tmp_path), scripts=["Hang"])]))
