"""From encoded bytes to a Sample or a Failure: what every source of existing images does with each of them."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field

from dataengine import decode
from dataengine.config import Config
from dataengine.sample import Failure, Sample, content_id


class ImageParams(Config):
    """What every collecting source can be told of its images."""

    category: str | None = None
    language: str | None = None
    license: str | None = None
    max_pixels: int = Field(decode.MAX_PIXELS, gt=0)


def read_sample(
    fetch: Callable[[], bytes],
    *,
    source: str,
    uri: str,
    params: ImageParams,
    fields: Mapping[str, Any] | None = None,
) -> Sample | Failure:
    """The sample that `fetch` yields, verified to decode; a Failure for anything that is wrong with this one image.

    `fields` overrides the source's own values (caption, language, category, license, meta) where it has one.
    """
    given = {k: v for k, v in (fields or {}).items() if v is not None}
    try:
        encoded = fetch()
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
