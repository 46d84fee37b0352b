"""A user's own signal, in a package that is not ours: a manifest names it as `brightness:Brightness`."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from dataengine.config import Config
from dataengine.errors import StageError
from dataengine.stage import Image, Resources


class Params(Config):
    fails_on: str = ""  # raise for the image with this caption
    missing: bool = False  # as if weights were absent


class Brightness:
    """Mean of all channels; refuses one image when it is told to."""

    Params = Params
    version = 1
    resources = Resources(cpus=0.5, memory=256 << 20, batch=4)
    columns = pa.schema([("brightness", pa.float64())])

    def __init__(self, params: Params) -> None:
        if params.missing:
            raise StageError("the weights of brightness are missing", "fetch them from the shelf")
        self.params = params

    def measure(self, images: Sequence[Image]) -> pa.Table:
        if any(image.caption == self.params.fails_on for image in images if self.params.fails_on):
            raise ValueError("this one cannot be measured")
        return pa.table({"brightness": [float(np.mean(i.pixels)) for i in images]}, schema=self.columns)
