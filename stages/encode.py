"""Encode: shards into latents and text states: what frozen encoders would compute anew in each epoch of a training.

A picture is cropped in the middle to its bucket's proportions and brought to the phase's resolution, as the trainer
does with pictures, and passes the autoencoder. Each of its captions passes the text encoder; without one the captions
are kept as they are, for a model that reads them itself. A picture that does not decode goes to `failures`.

What was encoded is known by all that it depends on: a latent by the picture's bytes, crop, size and autoencoder, states
by the caption and the text encoder. So the repeats of a sample in a row group are computed once, and what latents of an
earlier plan hold is taken from there.

Cost: that of the encoders. At rest, a latent of 1328 × 1328 takes 0.9 MB, and states of Qwen2.5-VL 7 kB a token; on
disk a fifth less.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field

from dataengine import schema
from dataengine.config import HOW, Config
from dataengine.decode import decode_picture
from dataengine.errors import SampleError, StageError
from dataengine.models import text_encoder, vae
from dataengine.models.text_encoder import QwenConfig, SentenceConfig
from dataengine.models.vae import AutoencoderConfig, PixelsConfig
from dataengine.sample import Failure
from dataengine.stage import GIB, Encoded, Resources

if TYPE_CHECKING:
    import numpy as np

Values = dict[str, Any]
"""What stands in a row of a latent or of states: its shape and its bytes."""
NONE: Values = {"shape": None, "states": None}


class Params(Config):
    """`text: null` keeps captions without states. `resolution`: pictures are brought to about its square of pixels; by
    default the phase's own number. `captions`: columns of the shards; by default all that hold captions. `posterior`:
    an autoencoder's most likely latent, or a draw from what it gives, another one for each repeat."""

    image: Annotated[AutoencoderConfig | PixelsConfig, Field(discriminator="kind")] = AutoencoderConfig()
    text: Annotated[QwenConfig | SentenceConfig, Field(discriminator="kind")] | None = QwenConfig()
    resolution: int | None = Field(None, ge=8)
    captions: list[str] | None = None
    posterior: Literal["mode", "sample"] = "mode"
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], HOW] = "auto"


class Encode:
    """The engine's `encode`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=8)

    def __init__(self, params: Params, batch: int) -> None:
        from dataengine.device import choose_device

        self.params, self.batch = params, batch
        self._device = choose_device(params.device)
        self._image = vae.load(params.image, self._device)
        self._text = text_encoder.load(params.text, self._device) if params.text else None
        self._encoders = _fingerprints(params)

    @classmethod
    def missing(cls, params: Params) -> StageError | None:
        return vae.missing(params.image) or (text_encoder.missing(params.text) if params.text else None)

    @classmethod
    def fingerprint(cls, params: Params) -> str:
        return " ".join(_fingerprints(params))

    def notes(self) -> Mapping[bytes, str]:
        """The states of the empty caption, from which guidance starts."""
        from dataengine import latents

        return {latents.EMPTY: latents.empty_note(self._text([""])[0])} if self._text else {}

    def encode(self, rows: pa.Table, known: pa.Table) -> Encoded:
        pictures = self._pictures(rows)
        made, faults = self._latents(rows, pictures, known)
        kept = [at for at, picture in enumerate(pictures) if picture in made]
        captions = _captions(rows, self.params.captions)
        states = self._states([caption for at in kept for _, caption in captions[at]], known)
        columns = {
            **{name: rows[name] for name in ("sample_id", "copy", "phase", "bucket", "category", "language", "text")},
            "digest": [picture.digest for picture in pictures],
            "height": [picture.height for picture in pictures],
            "width": [picture.width for picture in pictures],
            "crop": [picture.crop for picture in pictures],
            "latent": [made.get(picture) for picture in pictures],
            "captions": [
                [{"name": name, "caption": caption, **states.get(caption, NONE)} for name, caption in said]
                for said in captions
            ],
            "image_encoder": [self._encoders[0]] * len(pictures),
            "text_encoder": [self._encoders[1]] * len(pictures),
        }
        arrays = [
            column if isinstance(column, pa.ChunkedArray) else pa.array(column, schema.LATENTS.field(name).type)
            for name, column in ((name, columns[name]) for name in schema.LATENTS.names)
        ]
        table = pa.table(arrays, schema=schema.LATENTS).take(pa.array(kept, pa.int64()))
        told = [(rows["source"][at].as_py(), rows["uri"][at].as_py(), picture) for at, picture in enumerate(pictures)]
        failures = [Failure.of(faults[p], source=s, uri=u, stage="encode") for s, u, p in told if p in faults]
        return Encoded(table, failures)

    def _pictures(self, rows: pa.Table) -> list["Picture"]:
        """What is to be encoded of each row, by what the latent depends on."""
        from dataengine.trainer.patchify import bucket_size, middle

        phase, bucket = rows["phase"][0].as_py(), rows["bucket"][0].as_py()
        config = self.params.image
        size = bucket_size(self.params.resolution or phase, bucket, config.factor * config.patch)
        told = rows.select(["copy", "height", "width"]).to_pylist()
        return [
            Picture(digest, self._draw(row["copy"]), *size, _float32(middle((row["height"], row["width"]), size)))
            for row, digest in zip(told, _digests(rows["image"]), strict=True)
        ]

    def _draw(self, copy: int) -> int:
        """Repeats of a sample have one latent, unless each is drawn."""
        return copy if self.params.posterior == "sample" else 0

    def _latents(
        self, rows: pa.Table, pictures: Sequence["Picture"], known: pa.Table
    ) -> tuple[dict["Picture", Values], dict["Picture", SampleError]]:
        """The latent of each picture, known or made, and the faults of those that do not decode."""
        made: dict[Picture, Values] = {}
        faults: dict[Picture, SampleError] = {}
        wanted = set(pictures)
        for picture, at in self._known_pictures(known):
            if picture in wanted:
                made[picture] = known["latent"][at].as_py()
        left = {picture: at for at, picture in enumerate(pictures) if picture not in made}
        for batch in _batches(list(left), self.batch):
            decoded = {}
            for picture in batch:
                try:
                    decoded[picture] = _pixels(rows["image"][left[picture]], picture)
                except SampleError as error:
                    faults[picture] = error
            if decoded:
                made |= zip(decoded, self._encoded(decoded), strict=True)
        return made, faults

    def _known_pictures(self, known: pa.Table) -> Iterator[tuple["Picture", int]]:
        """What each row of earlier latents shows, of those made by this encoder."""
        told = known.select(["digest", "copy", "height", "width", "crop", "image_encoder"]).to_pylist()
        for at, row in enumerate(told):
            if row["image_encoder"] == self._encoders[0]:
                crop = tuple(row["crop"])
                yield Picture(row["digest"], self._draw(row["copy"]), row["height"], row["width"], crop), at

    def _encoded(self, decoded: Mapping["Picture", "np.ndarray"]) -> list[Values]:
        import numpy as np
        import torch

        from dataengine import latents
        from dataengine.trainer.patchify import to_signal

        pixels = torch.from_numpy(np.stack(list(decoded.values()))).permute(0, 3, 1, 2)
        generators = None
        if self.params.posterior == "sample":
            generators = [torch.Generator().manual_seed(picture.seed) for picture in decoded]
        made = self._image.encode(to_signal(pixels.to(self._device)), generators)
        return [{"shape": list(latent.shape), "values": latents.to_bytes(latent)} for latent in made]

    def _states(self, captions: Sequence[str], known: pa.Table) -> dict[str, Values]:
        """The states of each caption, known or made; none where there is no text encoder."""
        from dataengine import latents

        if self._text is None:
            return {}
        wanted = set(captions)
        made: dict[str, Values] = {}
        for said, encoder in zip(known["captions"], known["text_encoder"].to_pylist(), strict=True):
            for one in said if encoder == self._encoders[1] else ():
                caption = one["caption"].as_py()
                if caption in wanted:
                    made[caption] = {"shape": one["shape"].as_py(), "states": one["states"].as_py()}
        left = sorted(wanted - made.keys(), key=lambda caption: (len(caption), caption))  # alike long: little padding
        for batch in _batches(left, self.batch):
            for caption, states in zip(batch, self._text(batch), strict=True):
                made[caption] = {"shape": list(states.shape), "states": latents.to_bytes(states)}
        return made


@dataclass(frozen=True)
class Picture:
    """What a latent depends on, besides the encoder: the encoded bytes, the number of the draw, the size, and what part
    it shows."""

    digest: str
    draw: int
    height: int
    width: int
    crop: tuple[float, ...]

    @property
    def seed(self) -> int:
        """Of the draw."""
        return int.from_bytes(hashlib.blake2b(f"{self.digest}/{self.draw}".encode(), digest_size=7).digest())


def _fingerprints(params: Params) -> tuple[str, str]:
    """Of the image side and of the text side, as rows carry them."""
    drawn = vae.DRAWN if params.posterior == "sample" else ""
    text = text_encoder.fingerprint(params.text) if params.text else text_encoder.CAPTIONS_ONLY
    return f"{vae.fingerprint(params.image)}{drawn}", text


def _captions(rows: pa.Table, names: Sequence[str] | None) -> list[list[tuple[str, str]]]:
    """The captions of each row with the names of their columns, without those that it does not have."""
    if names is None:
        own = [f.name for f in rows.schema if f.name not in schema.SHARD.names and pa.types.is_string(f.type)]
        names = ["caption", *own]
    if lacking := [name for name in names if name not in rows.column_names]:
        known = ", ".join(rows.column_names)
        raise StageError(f"encode.captions: the shards have no column {lacking[0]!r}", f"they have: {known}")
    columns = [rows[name].to_pylist() for name in names]
    return [[(name, said) for name, said in zip(names, row, strict=True) if said] for row in zip(*columns, strict=True)]


def _pixels(image: pa.StructScalar, picture: Picture) -> "np.ndarray":
    """uint8 (height, width, 3). The limit of pixels was the source's to set, and the picture passed it there."""
    from dataengine.trainer.pictures import fit

    encoded = image["bytes"].as_py() if image.is_valid else None
    return fit(decode_picture(encoded or b"", max_pixels=sys.maxsize), (picture.height, picture.width))


def _digests(images: pa.ChunkedArray) -> list[str]:
    """BLAKE2b-128 of each encoded picture. Not the sample_id: that of a synthesized one tells nothing of its bytes."""
    encoded = (image["bytes"] for image in images)
    return [hashlib.blake2b(one.as_buffer() or b"", digest_size=16).hexdigest() for one in encoded]


def _float32(box: Sequence[float]) -> tuple[float, ...]:
    """As it stands at rest."""
    return tuple(pa.array(box, pa.float32()).to_pylist())


def _batches(items: list, size: int) -> Iterator[list]:
    return (items[start : start + size] for start in range(0, len(items), size))
