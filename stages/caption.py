"""Captions of what a picture shows, and what kind of picture it is, told in one pass.

By one of three captioners, with the same columns:

- `endpoint`: a vision-language model behind an OpenAI-compatible address (vLLM with Qwen2.5-VL is the usual case);
- `local`: one on this machine, by transformers;
- neither: no model at all. Then only what was measured is said (see `stages.facts`), which wants the signal `ocr`;
  `image_type` and `image_style` are null.

The Qwen-Image report trains on three splits: raw captions (the column `caption` of samples), rewritten ones
(`recaption`) and both in one (`fused_caption`, null where there is no raw one). A picture without an answer that can be
used goes to `failures`, with nulls here.

Cost: what the model costs; `recaption_cost` has requests, tokens, seconds and price of every picture. Without a model
5 ms.
"""

import io
from collections.abc import Sequence
from typing import Annotated, Any

import cv2
import numpy as np
import PIL.Image
import pyarrow as pa
from pydantic import Field, model_validator

from dataengine.config import HOW, Config
from dataengine.errors import StageError
from dataengine.models.captioner.answer import Captioned
from dataengine.models.captioner.endpoint import Endpoint, EndpointConfig, Picture
from dataengine.models.captioner.local import Local, LocalConfig
from dataengine.stage import GIB, Image, Measured, Resources
from stages import facts
from stages.measure.caption_quality import fault_of
from stages.measure.language import words_of

_SENT_AS_IT_IS = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_QUALITY = 92


class Params(Config):
    """`side`: the longer side, in pixels, that a model is shown. `prices`: of a million tokens, in and out.
    `abnormal`: without a model, the columns that tell of abnormal elements where they are above 0: `code_count`."""

    endpoint: EndpointConfig | None = None
    local: LocalConfig | None = None
    side: int = Field(1280, ge=64)
    abnormal: list[str] = []
    prices: Annotated[tuple[float, float], HOW] = (0.0, 0.0)

    @model_validator(mode="after")
    def _one(self) -> "Params":
        if self.endpoint and self.local:
            raise ValueError("give `endpoint` or `local`, not both")
        if self.abnormal and (self.endpoint or self.local):
            raise ValueError("`abnormal` is for captions without a model; a model tells by itself")
        return self


class Caption:
    """The signal `caption`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=64)
    columns = pa.schema(
        [
            ("recaption", pa.string()),
            ("recaption_short", pa.string()),
            ("fused_caption", pa.string()),
            ("recaption_words", pa.int32()),
            ("recaption_fault", pa.string()),
            ("visible_text", pa.list_(pa.string())),
            ("image_type", pa.string()),
            ("image_style", pa.string()),
            ("watermarks", pa.list_(pa.string())),
            ("abnormal_element", pa.bool_()),
            (
                "recaption_cost",
                pa.struct(
                    [
                        ("requests", pa.int32()),
                        ("prompt_tokens", pa.int32()),
                        ("completion_tokens", pa.int32()),
                        ("seconds", pa.float32()),
                        ("price", pa.float64()),
                    ]
                ),
            ),
        ]
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._endpoint = Endpoint(params.endpoint) if params.endpoint else None
        self._local = Local(params.local) if params.local else None

    @classmethod
    def missing(cls, params: Params) -> StageError | None:
        if params.endpoint:
            return Endpoint.missing(params.endpoint)
        return Local.missing(params.local) if params.local else None

    @classmethod
    def needs(cls, params: Params) -> Sequence[str]:
        return () if params.endpoint or params.local else (*facts.NEEDS, *params.abnormal)

    def measure(self, images: Sequence[Image]) -> pa.Table | Measured:
        made = self._asked(images)
        if made is None:
            return pa.Table.from_pylist([self._stated(image) for image in images], schema=self.columns)
        rows = [self._told(one) for one in made]
        faults = {at: one.error for at, one in enumerate(made) if one.error}
        return Measured(pa.Table.from_pylist(rows, schema=self.columns), faults)

    def _asked(self, images: Sequence[Image]) -> list[Captioned] | None:
        """A model's answers; None where there is no model."""
        raw = [(image.caption or "").strip() or None for image in images]
        if self._endpoint:
            return self._endpoint.caption([sendable(image, self.params.side) for image in images], raw)
        if self._local:
            return self._local.caption([_reduced(image.pixels, self.params.side) for image in images], raw)
        return None

    def _told(self, one: Captioned) -> dict[str, Any]:
        """The row of a model's answer, of which the cost stands even where it could not be used."""
        tokens = one.cost.prompt_tokens, one.cost.completion_tokens
        price = sum(n * each for n, each in zip(tokens, self.params.prices, strict=True)) / 1e6
        row: dict[str, Any] = {"recaption_cost": {**vars(one.cost), "price": price}}
        if answer := one.answer:
            row |= {
                **_captions(answer.caption, answer.short_caption, getattr(answer, "fused_caption", None)),
                "visible_text": answer.visible_text,
                "image_type": answer.image_type,
                "image_style": answer.image_style,
                "watermarks": answer.watermark_list,
                "abnormal_element": answer.abnormal_element,
            }
        return row

    def _stated(self, image: Image) -> dict[str, Any]:
        """The row of what was measured."""
        known = facts.Facts.of(image)
        raw = (image.caption or "").strip()
        told = [image.known[column] for column in self.params.abnormal]
        return {
            **_captions(known.long(), known.short(), facts.fused(raw, known.long()) if raw else None),
            "visible_text": [text.content for text in known.texts],
            "watermarks": list(known.watermarks),
            "abnormal_element": any(value > 0 for value in told) if told and None not in told else None,
        }


def _captions(caption: str, short: str, both: str | None) -> dict[str, Any]:
    return {
        "recaption": caption,
        "recaption_short": short,
        "fused_caption": both,
        "recaption_words": len(words_of(caption)),
        "recaption_fault": fault_of(caption),
    }


def sendable(image: Image, side: int) -> Picture:
    """A picture as a server takes it: its own bytes where any would show them alike, else a JPEG of at most `side`."""
    own = _SENT_AS_IT_IS.get(image.format)
    if own and image.orientation == 1 and max(image.pixels.shape[:2]) <= side:
        return image.encoded, own
    buffer = io.BytesIO()
    PIL.Image.fromarray(_reduced(image.pixels, side)).save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue(), "image/jpeg"


def _reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """The picture with a longer side of at most `side`."""
    longer = max(pixels.shape[:2])
    if longer <= side:
        return pixels
    height, width = (max(1, round(length * side / longer)) for length in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
