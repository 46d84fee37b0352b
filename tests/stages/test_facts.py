"""What is said of a picture without a model: only what was measured, and that rightly."""

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from dataengine.sample import Paragraph, Sample, Spans, samples_table
from dataengine.stage import Image
from demo.photographs import package_file
from stages.facts import COLOURS, Facts, fused, main_colours


def picture(pixels: np.ndarray, **keys: object) -> Image:
    return Image("id", pixels, b"", "png", **keys)


def plain(width: int, height: int, colour: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def read(text: str, left: int, top: int, right: int, bottom: int, confidence: float = 0.9) -> dict:
    quad = [left, top, right, top, right, bottom, left, bottom]
    return {"text": text, "confidence": confidence, "script": "Latn", "quad": quad}


@pytest.mark.parametrize(("name", "colour"), COLOURS.items())
def test_a_plain_picture_has_the_name_of_its_colour(name: str, colour: tuple[int, int, int]):
    assert main_colours(plain(90, 60, colour)) == [name]


def test_colours_are_named_by_their_share():
    pixels = plain(100, 100, (20, 35, 100))
    pixels[:30] = (250, 220, 40)
    pixels[-10:] = (215, 30, 35)
    assert main_colours(pixels) == ["dark blue", "yellow"]


def test_of_a_picture_of_many_colours_the_most_frequent_one_is_named():
    strips = np.repeat(np.array(list(COLOURS.values()), np.uint8)[None], 84, axis=0)
    pixels = np.repeat(strips, 3, axis=1)
    assert len(main_colours(pixels)) == 1


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("skimage/coffee.png", "brown"),
        ("skimage/hubble_deep_field.jpg", "black"),
        ("skimage/astronaut.png", "light grey"),
    ],
)
def test_colours_of_photographs(name: str, first: str):
    assert main_colours(np.asarray(Picture.open(package_file(name)).convert("RGB")))[0] == first


@pytest.mark.parametrize(
    ("size", "format"), [((400, 300), "landscape"), ((300, 400), "portrait"), ((300, 310), "square")]
)
def test_orientation(size: tuple[int, int], format: str):
    assert Facts.of(picture(plain(*size))).long() == f"A picture in {format} format, mainly white."


def test_texts_are_verbatim_with_place_and_language():
    lines = [
        read("GRAND OPENING", 10, 10, 90, 20),
        read("Die Bäckerei am Markt ist ab heute wieder geöffnet", 100, 140, 200, 150),
        read("限时优惠", 260, 280, 290, 290),
        read('全场 "五折" 起', 260, 291, 290, 299),
    ]
    known = Facts.of(picture(plain(300, 300), known={"ocr_lines": lines, "watermark_text": None}))
    assert known.long() == (
        "A picture in square format, mainly white. "
        "At the top left it reads: “GRAND OPENING”. "
        "In the centre it reads, in German: “Die Bäckerei am Markt ist ab heute wieder geöffnet”. "
        'At the bottom right it reads, in Chinese: “限时优惠 全场 "五折" 起”.'
    )
    assert known.short() == (
        "A picture in square format, mainly white, that reads “GRAND OPENING”, “Die Bäckerei am Markt ist ab heute "
        'wieder geöffnet” and “限时优惠 全场 "五折" 起”.'
    )


def test_what_could_not_be_read_is_said_to_be_so():
    lines = [read("xq%", 10, 10, 90, 20, confidence=0.2)]
    known = Facts.of(picture(plain(300, 300), known={"ocr_lines": lines, "watermark_text": "© Jane"}))
    assert known.texts == [] and known.long().endswith("There is writing that cannot be read.")
    assert known.watermarks == ["© Jane"]


def test_an_annotation_is_believed_before_ocr():
    def at(y: int) -> Spans:
        return Spans(["w"], np.array([[10, y, 60, y, 60, y + 9, 10, y + 9]], np.float32))

    paragraphs = [
        Paragraph("Second", "en", "Latn", "F", 9, 1, at(280), at(280), at(280)),
        Paragraph("Erster\nAbsatz", "de", "Latn", "F", 9, 0, at(140), at(140), at(140)),
    ]
    sample = Sample("id", "test", "", b"", "png", 300, 300, text=paragraphs)
    annotation = samples_table([sample])["text"][0]
    known = Facts.of(picture(plain(300, 300), annotation=annotation, known={"ocr_lines": [read("no", 0, 0, 9, 9)]}))
    assert [(t.content, t.place, t.language) for t in known.texts] == [
        ("Erster\nAbsatz", "on the left", "de"),
        ("Second", "at the bottom left", "en"),
    ]


@pytest.mark.parametrize(
    ("raw", "both"), [("A cat", "A cat. It is."), ("一只猫。", "一只猫。 It is."), (" Wow! ", "Wow! It is.")]
)
def test_a_raw_caption_comes_first(raw: str, both: str):
    assert fused(raw, "It is.") == both


def test_real_pictures_are_described_by_colours_that_they_have():
    image = Picture.new("RGB", (200, 100), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 80, 100), fill="red")
    assert Facts.of(picture(np.asarray(image))).short() == "A picture in landscape format, mainly white and red."
