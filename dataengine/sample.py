"""What flows between a source and the samples on disk: a Sample or a Failure, and the text annotation of a picture."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine import schema


@dataclass(frozen=True)
class Spans:
    """Pieces of text with their places. `quads` is float32 (n, 8): x, y of four corners clockwise from the reading
    start, in pixels of the image."""

    texts: Sequence[str]
    quads: np.ndarray

    def __post_init__(self) -> None:
        if self.quads.shape != (len(self.texts), 8):
            raise ValueError(f"{len(self.texts)} texts need quads of shape ({len(self.texts)}, 8): {self.quads.shape}")


@dataclass(frozen=True)
class Paragraph:
    """One paragraph that is written in a picture, as a reader sees it."""

    content: str
    language: str
    script: str
    font: str
    size: float
    order: int
    lines: Spans
    words: Spans
    characters: Spans


@dataclass(frozen=True)
class Sample:
    """One image with what its source knows about it; the columns of `schema.SAMPLES`."""

    sample_id: str
    source: str
    uri: str
    encoded: bytes
    format: str
    width: int
    height: int
    caption: str | None = None
    language: str | None = None
    category: str | None = None
    license: str | None = None
    text: Sequence[Paragraph] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """One input that did not become a sample, or a sample that a stage could not work on, and why."""

    source: str
    uri: str
    stage: str
    error: str
    message: str

    @classmethod
    def of(cls, error: BaseException, *, source: str, uri: str, stage: str) -> "Failure":
        """The failure that an exception stands for."""
        return cls(source, uri, stage, type(error).__name__, str(error).strip() or repr(error))


def content_id(encoded: bytes) -> str:
    """The sample_id of a collected image: the BLAKE2b-128 hex digest of its encoded bytes."""
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def synthetic_id(set_name: str, seed: int, index: int) -> str:
    """The sample_id of a synthesized image: the BLAKE2b-128 hex digest of (set name, seed, index)."""
    return hashlib.blake2b(f"{set_name}\0{seed}\0{index}".encode(), digest_size=16).hexdigest()


def generator(set_name: str, seed: int, index: int) -> np.random.Generator:
    """The random generator of sample `index` of a set: the only source of chance for that sample."""
    digest = hashlib.blake2b(f"{set_name}\0{seed}\0{index}".encode(), digest_size=32).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def samples_table(samples: Sequence[Sample]) -> pa.Table:
    """The Arrow table of some samples, with `schema.SAMPLES`."""
    columns = {
        "sample_id": [s.sample_id for s in samples],
        "source": [s.source for s in samples],
        "uri": [s.uri for s in samples],
        "image": [{"bytes": s.encoded, "path": f"{s.sample_id}.{s.format}"} for s in samples],
        "format": [s.format for s in samples],
        "width": [s.width for s in samples],
        "height": [s.height for s in samples],
        "caption": [s.caption for s in samples],
        "language": [s.language for s in samples],
        "category": [s.category for s in samples],
        "license": [s.license for s in samples],
        "meta": [_json(s.meta) for s in samples],
        "bytes": [len(s.encoded) for s in samples],
    }
    arrays = [
        _paragraph_lists([s.text for s in samples]) if f.name == "text" else _column(columns[f.name], f.type)
        for f in schema.SAMPLES
    ]
    return pa.Table.from_arrays(arrays, schema=schema.SAMPLES)


def paragraphs(text: pa.ListScalar | None) -> tuple[Paragraph, ...]:
    """The paragraphs in one row of a `text` column; none where it is null."""
    if text is None or not text.is_valid or not len(text.values):
        return ()
    columns = dict(zip(schema.PARAGRAPH.names, text.values.flatten(), strict=True))
    values = [_spans(c) if pa.types.is_list(c.type) else c.to_pylist() for c in columns.values()]
    return tuple(Paragraph(*row) for row in zip(*values, strict=True))


def failures_table(failures: Sequence[Failure]) -> pa.Table:
    """The Arrow table of some failures, with `schema.FAILURES`."""
    arrays = [_column([getattr(f, field.name) for f in failures], field.type) for field in schema.FAILURES]
    return pa.Table.from_arrays(arrays, schema=schema.FAILURES)


def _json(meta: Mapping[str, Any]) -> str:
    """A JSON object; a number that JSON does not know, such as a table's NaN, is null."""
    known = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in meta.items()}
    return json.dumps(known, ensure_ascii=False, sort_keys=True, default=str)


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # a file's name that is not UTF-8: what cannot be written becomes a question mark
        return pa.array([v if v is None else v.encode("utf-8", "replace").decode() for v in values], kind)


def _spans(lists: pa.ListArray) -> list[Spans]:
    texts, quads = lists.flatten().flatten()
    ends = np.cumsum(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    words, places = texts.to_pylist(), quads.flatten().to_numpy(zero_copy_only=False).reshape(-1, 8)
    return [Spans(words[a:b], places[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def _offsets(lengths: Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int32)]).astype(np.int32))


def _paragraph_lists(texts: Sequence[Sequence[Paragraph]]) -> pa.Array:
    flat = [p for text in texts for p in text]
    kinds = {f.name: f.type for f in schema.PARAGRAPH}
    arrays = [
        _span_lists([getattr(p, name) for p in flat])
        if name in ("lines", "words", "characters")
        else pa.array([getattr(p, name) for p in flat], kind)
        for name, kind in kinds.items()
    ]
    values = pa.StructArray.from_arrays(arrays, fields=list(schema.PARAGRAPH))
    return pa.ListArray.from_arrays(_offsets([len(t) for t in texts]), values, type=schema.SAMPLES.field("text").type)


def _span_lists(spans: Sequence[Spans]) -> pa.Array:
    """Built from flat arrays: a page has hundreds of quads, and Python lists of floats would cost more than drawing."""
    texts = pa.array([t for s in spans for t in s.texts], pa.string())
    flat = np.concatenate([s.quads.reshape(-1) for s in spans]) if spans else np.empty(0)
    quads = pa.FixedSizeListArray.from_arrays(pa.array(flat.astype(np.float32)), type=schema.QUAD)
    values = pa.StructArray.from_arrays([texts, quads], fields=list(schema.SPAN))
    return pa.ListArray.from_arrays(_offsets([len(s.texts) for s in spans]), values, type=pa.list_(schema.SPAN))
