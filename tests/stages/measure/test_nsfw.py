"""The NSFW signal: one score an image, in order."""

import numpy as np

from dataengine.decode import decode
from dataengine.stage import Image
from demo.photographs import package_file
from stages.measure.nsfw import Nsfw, Params


def test_each_image_has_its_score_in_order_alone_or_in_company() -> None:
    names = ["skimage/astronaut.png", "skimage/coffee.png", "sklearn/flower.jpg"]
    images = [Image(n, decode(package_file(n).read_bytes())[0], b"", "png") for n in names]
    signal = Nsfw(Params())
    table = signal.measure(images)
    assert table.schema == Nsfw.columns
    scores = table["nsfw"].to_numpy()
    assert ((scores >= 0) & (scores < 0.2)).all() and len(set(scores)) == 3
    alone = [signal.measure([image])["nsfw"][0].as_py() for image in images]
    np.testing.assert_allclose(scores, alone, atol=1e-5)
