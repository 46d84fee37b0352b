import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dataengine.decode import EXIF_ORIENTATION, decode_picture
from dataengine.errors import SampleError
from dataengine.trainer.datasets import DatasetConfig
from dataengine.trainer.pictures import Cache, Pictures, fit, least
from dataengine.trainer.shards import Place, Row


def row(encoded: bytes | None, number: int = 0, **columns: object) -> Row:
    image = pa.array([b"x"] * number + [encoded], pa.binary())
    return Row(Place(0, 0, number), {"image": image} | {name: [value] for name, value in columns.items()})


def pictures(cache: int = 0, **keys: object) -> Pictures:
    config = DatasetConfig.model_validate({"name": "d", "path": "p", "resolution": 16} | keys)
    return Pictures(config, ("1:1", "3:2", "2:3"), 4, Cache(cache))


def smooth(size: tuple[int, int], seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def jpeg(picture: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def test_fitting_crops_the_middle_and_keeps_proportions():
    pixels = np.zeros((30, 90, 3), np.uint8)
    pixels[:, 30:60] = 255  # a white square in the middle of a wide black picture
    assert fit(Image.fromarray(pixels), (16, 16))[2:-2, 2:-2].min() == 255
    assert fit(Image.fromarray(pixels), (8, 24))[:, :6].max() == 0


def test_fitting_works_for_all_sizes_whatever_their_proportions_round_to():
    for width in range(90, 130, 3):
        for height in range(60, 140, 7):
            for size in ((16, 16), (56, 24), (24, 56), (40, 104)):
                assert fit(smooth((width, height)), size).shape == (*size, 3)


def test_a_row_is_put_in_the_bucket_of_its_column_or_else_of_its_own_proportions(picture):
    kind = pictures()
    assert kind.size(row(picture(0, (60, 40)))) == (12, 20)
    assert kind.size(row(picture(0, (60, 40)), bucket="2x3")) == (20, 12)
    assert kind.size(row(picture(0, (60, 40)), bucket="square")) == (12, 20)
    assert kind.size(row(picture(0, (60, 40)), bucket=None)) == (12, 20)


@pytest.mark.parametrize("encoded", [None, b""])
def test_a_row_without_an_image_is_said_to_be_one(encoded):
    with pytest.raises(SampleError, match="no image"):
        pictures().size(row(encoded, bucket="1x1"))


def test_what_does_not_decode_is_a_sample_error(picture):
    with pytest.raises(SampleError, match="broken image data"):
        pictures().load(row(picture(0)[:150]), (16, 16), None)


def test_a_much_larger_jpeg_is_decoded_at_a_part_of_its_size_and_looks_the_same():
    encoded = jpeg(smooth((256, 256)))
    assert decode_picture(encoded, least((64, 64))).size == (128, 128)
    assert decode_picture(encoded, least((65, 65))).size == (256, 256)
    assert decode_picture(encoded, least((16, 16))).size == (32, 32)
    reduced = fit(decode_picture(encoded, least((48, 48))), (48, 48)).astype(int)
    whole = fit(decode_picture(encoded), (48, 48)).astype(int)
    assert 0 < np.abs(reduced - whole).max() <= 12
    assert np.square(reduced - whole).mean() < 1.5


def test_a_jpeg_on_its_side_keeps_as_many_pixels_of_each_upright_side():
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # lies on its side: upright it is 100 wide and 400 high
    encoded = jpeg(smooth((400, 100)), exif=exif)
    assert decode_picture(encoded, (200, 50)).size == (50, 200)
    assert decode_picture(encoded, (200, 51)).size == (100, 400)


def test_a_png_is_decoded_whole(picture):
    assert decode_picture(picture(0, (256, 256)), (16, 16)).size == (256, 256)


def test_the_cache_keeps_the_first_pictures_to_its_budget(picture):
    kind = pictures(cache=2 * 16 * 16 * 3 + 5)
    loaded = [kind.load(row(picture(seed, (40, 40)), seed), (16, 16), None) for seed in range(4)]
    again = [kind.load(row(picture(9, (40, 40)), seed), (16, 16), None) for seed in range(4)]
    assert [np.array_equal(one, other) for one, other in zip(loaded, again, strict=True)] == [True, True, False, False]


def test_captions_are_those_that_are_there_with_their_weights(picture):
    kind = pictures(caption={"raw": 3, "told": 1})
    found = kind.captions(row(picture(0), raw="a", told="b"))
    assert found == [(("a", 0), 3), (("b", 1), 1)]
    assert kind.captions(row(picture(0), raw="", told="b")) == [(("b", 1), 1)]
    assert kind.captions(row(picture(0), raw=None, told=None)) == []
