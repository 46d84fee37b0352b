"""NSFW score: how likely a picture is unsafe, 0 to 1, lower is better.

Yahoo's open_nsfw (a ResNet-50 variant, 2016), about 20 ms an image on one core. It was trained on sexual content and
says nothing of violence. Photographs stay under 0.2; from about 0.8 on it is rarely wrong.
"""

from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from dataengine.config import HOW, Config
from dataengine.models.nsfw import NsfwScorer
from dataengine.stage import GIB, Image, Resources


class Params(Config):
    threads: Annotated[int, HOW] = Field(1, ge=1)


class Nsfw:
    """The signal `nsfw`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=8)
    columns = pa.schema([("nsfw", pa.float32())])

    def __init__(self, params: Params) -> None:
        self.scorer = NsfwScorer(params.threads)

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.table({"nsfw": self.scorer.score([image.pixels for image in images])}, schema=self.columns)
