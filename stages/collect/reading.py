"""From encoded bytes to a Sample or a Failure: what every source of existing images does with each of them."""

from collections.abc import Callable, Mapping
from typing import Any

import fsspec
from pydantic import Field

from dataengine import decode
from dataengine.config import Config
from dataengine.errors import SampleError
from dataengine.sample import Failure, Sample, content_id

_MOST_BYTES = 256 << 20  # a part of samples holds no more


class ImageParams(Config):
    """What every collecting source can be told of its images."""

    category: str | None = None
    language: str | None = None
    license: str | None = None
    max_pixels: int = Field(decode.MAX_PIXELS, gt=0)


def read_file(fs: fsspec.AbstractFileSystem, path: str) -> bytes:
    """A file's bytes, or so many that `read_sample` will refuse them: a film among the pictures is not read whole."""
    return fs.cat_file(path, end=_MOST_BYTES + 1)


def read_sample(
    fetch: Callable[[], tuple[bytes, Mapping[str, Any]]], *, source: str, uri: str, params: ImageParams
) -> Sample | Failure:
    """The sample that `fetch` yields, verified to decode; a Failure for anything that is wrong with this one image.

    `fetch` gives encoded bytes, and fields (caption, language, category, license, meta) that override the source's own
    where they have a value.
    """
    try:
        encoded, fields = fetch()
        if len(encoded) > _MOST_BYTES:
            raise SampleError(f"more than {_MOST_BYTES >> 20} MiB")
        given = {k: v for k, v in fields.items() if v is not None}
        header = decode.verify(encoded, params.max_pixels)
    except Exception as error:  # every filesystem has exceptions of its own; whatever it is, it costs this image
        return Failure.of(error, source=source, uri=uri, stage="collect")
    return Sample(
        sample_id=content_id(encoded),
        source=source,
        uri=uri,
        encoded=encoded,
        format=header.format,
        width=header.width,
        height=header.height,
        **{"category": params.category, "language": params.language, "license": params.license, **given},
    )
