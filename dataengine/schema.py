"""The Arrow schema of every dataset at rest. What is written here is what DuckDB, Polars and `datasets` see.

Image bytes are `binary` with 32-bit offsets: a part is at most 256 MiB, so they never overflow, and it is the type
that the `datasets` library decodes.
"""

import json

import pyarrow as pa

QUAD = pa.list_(pa.float32(), 8)
"""x, y of four corners in pixels, clockwise from where reading starts."""

SPAN = pa.struct([("text", pa.string()), ("quad", QUAD)])

PARAGRAPH = pa.struct(
    [
        ("content", pa.string()),
        ("language", pa.string()),
        ("script", pa.string()),  # ISO 15924, for instance Latn
        ("font", pa.string()),
        ("size", pa.float32()),  # font size (em) in pixels of the final image
        ("order", pa.int32()),  # reading order within the image, from 0
        ("lines", pa.list_(SPAN)),
        ("words", pa.list_(SPAN)),
        ("characters", pa.list_(SPAN)),  # grapheme clusters
    ]
)

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

SAMPLES = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("uri", pa.string()),
        ("image", IMAGE),
        ("format", pa.string()),  # lower case: jpeg, png, webp, gif, bmp, tiff, avif
        ("width", pa.int32()),  # after EXIF orientation
        ("height", pa.int32()),
        ("caption", pa.string()),
        ("language", pa.string()),  # BCP 47, of the text in a synthesized picture or of a collected caption
        ("category", pa.string()),
        ("license", pa.string()),
        ("text", pa.list_(PARAGRAPH)),
        ("meta", pa.string()),  # a JSON object: whatever else the source knows
        ("bytes", pa.int64()),  # size of the encoded image, so that no query need read the image to know it
    ]
)

POSITION = [("part", pa.int32()), ("row", pa.int32())]
"""Where a sample stands in `samples`. Byte-identical images share a sample_id; their positions tell them apart."""

FAILURES = pa.schema(
    [
        ("source", pa.string()),
        ("uri", pa.string()),
        ("stage", pa.string()),
        ("error", pa.string()),  # the kind: a class name such as SampleError
        ("message", pa.string()),
    ]
)

DECISIONS = pa.schema(
    [
        ("sample_id", pa.string()),
        ("phase", pa.int32()),
        ("kept", pa.bool_()),
        ("dropped_by", pa.string()),  # the first filter that failed; null when kept
        ("reason", pa.string()),  # its values and its predicate
        ("failed", pa.list_(pa.string())),  # every filter that failed, in the manifest's order
        *POSITION,
    ]
)

WEIGHTS = pa.schema(
    [
        ("sample_id", pa.string()),
        ("phase", pa.int32()),
        ("category", pa.string()),
        ("language", pa.string()),
        ("repeats", pa.int32()),
        *POSITION,
    ]
)

INDEX = pa.schema(
    [
        ("path", pa.string()),  # relative to RUN/shards
        ("phase", pa.int32()),
        ("bucket", pa.string()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("digest", pa.string()),  # BLAKE2b-128 of the file
        ("fingerprint", pa.string()),  # of the plan that the shard was written from
    ]
)

SET_INDEX = pa.schema(
    [
        ("source", pa.string()),  # the entry's name in the manifest
        ("index", pa.int64()),  # within the set
        ("uri", pa.string()),
        ("sample_id", pa.string()),  # null where nothing could be drawn, as are the digests
        ("digest", pa.string()),  # BLAKE2b-128 of the encoded image
        ("text_digest", pa.string()),  # of the annotation: every text, place, font and size
        ("caption_digest", pa.string()),
        ("refused", pa.string()),  # why nothing was drawn
    ]
)
"""What each index of a text set became; the file's metadata has the versions of what drew it, as JSON."""

PLAN = pa.schema(
    [
        ("phase", pa.int32()),
        ("bucket", pa.string()),
        ("shard", pa.int32()),
        ("sample_id", pa.string()),
        ("copy", pa.int32()),
        *POSITION,
        ("bytes", pa.int64()),
    ]
)
"""What stands in each shard, in order; `bytes` is the size of the encoded image."""

SHARD = pa.schema([*SAMPLES, ("phase", pa.int32()), ("bucket", pa.string()), ("copy", pa.int32())])
"""A shard's rows are samples in training order; `copy` counts the repeats of one sample from 0."""

CONDITION = pa.struct(
    [
        ("name", pa.string()),  # the shard's column that the caption stands in
        ("caption", pa.string()),
        ("shape", pa.list_(pa.int32(), 2)),  # tokens, channels; null, as are the states, where they are not cached:
        ("states", pa.large_binary()),  # a text encoder that is trained along reads the caption itself
    ]
)

LATENT = pa.struct([("shape", pa.list_(pa.int32(), 3)), ("values", pa.large_binary())])
"""channels, rows, columns; as the transformer reads them: normalised, not yet packed into tokens."""

LATENTS = pa.schema(
    [
        ("sample_id", pa.string()),
        ("digest", pa.string()),  # BLAKE2b-128 of the encoded image
        ("copy", pa.int32()),
        ("phase", pa.int32()),
        ("bucket", pa.string()),
        ("category", pa.string()),
        ("language", pa.string()),
        ("text", pa.list_(PARAGRAPH)),  # the sample's own, in the picture's pixels: the reader tells difficulty by it
        ("height", pa.int32()),  # of what was encoded, in pixels
        ("width", pa.int32()),
        ("crop", pa.list_(pa.float32(), 4)),  # left, top, right, bottom of what it shows, in the picture's pixels
        ("latent", LATENT),
        ("captions", pa.list_(CONDITION)),  # one a variant that the sample has, in the order of the shard's columns
        ("image_encoder", pa.string()),  # fingerprints of what made the latent and the states
        ("text_encoder", pa.string()),
    ]
)
"""A shard's rows encoded, in its order, without those that failed. Values are bfloat16, little-endian, row-major. The
file's metadata has the states of the empty caption, for guidance."""


def signal_schema(columns: pa.Schema) -> pa.Schema:
    """The schema of a signal at rest: `sample_id` and the signal's own columns."""
    return pa.schema([("sample_id", pa.string()), *columns])


def with_image_feature(schema: pa.Schema) -> pa.Schema:
    """The schema with the `huggingface` metadata that makes `datasets` decode the `image` column."""
    features = {field.name: _feature(field.type) for field in schema}
    features["image"] = {"_type": "Image"}
    info = json.dumps({"info": {"features": features}})
    return schema.with_metadata({**(schema.metadata or {}), "huggingface": info})


def _feature(kind: pa.DataType) -> object:
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "List"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    names = {pa.float32(): "float32", pa.float64(): "float64"}
    return {"dtype": names.get(kind, str(kind)), "_type": "Value"}
