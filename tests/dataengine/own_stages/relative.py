"""A signal that looks at what others measured; a manifest names it as `relative:Relative`."""

from collections.abc import Sequence

import pyarrow as pa

from dataengine.config import Config
from dataengine.stage import Image, Resources


class Params(Config):
    of: str = "brightness"  # the column that luma is compared with


class Relative:
    """Mean of all channels by luma; null where the former was not measured."""

    Params = Params
    version = 1
    resources = Resources(cpus=0.5, memory=256 << 20, batch=3)
    columns = pa.schema([("relative", pa.float64()), ("seen", pa.list_(pa.string()))])

    def __init__(self, params: Params) -> None:
        self.params = params

    @classmethod
    def needs(cls, params: Params) -> Sequence[str]:
        return [params.of, "luma"]

    def measure(self, images: Sequence[Image]) -> pa.Table:
        rows = []
        for image in images:
            value = image.known[self.params.of]
            relative = None if value is None else value / 255 / image.known["luma"]
            rows.append({"relative": relative, "seen": sorted(image.known)})
        return pa.Table.from_pylist(rows, schema=self.columns)
