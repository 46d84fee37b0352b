"""CLIP: an image's embedding, how well its caption fits, what it is of, and how much people would like it.

Three signals, one a family of models, with the same columns under names of their own: `clip` (open_clip), `siglip`
(SigLIP 2) and `chinese_clip` (both by transformers). Each embeds an image once; everything else is a product with that.

- `<name>_embedding`: float16, of unit length; its rounding moves a cosine by less than 0.001.
- `<name>_similarity`: cosine of image and caption. CLIP: 0.2 to 0.35 for a caption that fits, 0.1 for one that does
  not; SigLIP's are lower, so set thresholds for each model by looking. What is longer than the model's context (CLIP 77
  tokens, SigLIP 64, Chinese-CLIP 52) is cut.
- `<name>_similarities`: the same for further captions, such as the signal `caption` writes, by the column's name.
- `<name>_category`, `<name>_concept`, `<name>_probabilities`: zero-shot classification (Radford et al. 2021) over a
  taxonomy of two levels. A phrase's embedding is the mean over prompt templates; probabilities are the softmax of
  scaled cosines over all phrases, summed by class and by domain.
- `aesthetic`, with `clip` alone: LAION's score, 1 to 10, of a head that was trained on OpenAI's embeddings.

Cost on one CPU core: ViT-B/32 about 100 ms an image, ViT-L/14 two seconds; on a GPU, decoding is what takes time.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field

from dataengine import config
from dataengine.config import HOW, Config
from dataengine.errors import StageError
from dataengine.models import aesthetic, clip
from dataengine.stage import GIB, Image, Resources

TAXONOMY = Path(__file__).with_name("taxonomy.yaml")


class Taxonomy(Config):
    """Domains of classes of phrases; `{}` in a template stands for the phrase."""

    templates: list[str] = Field(["{}"], min_length=1)
    classes: dict[str, dict[str, list[str]]] = Field(min_length=1)

    @property
    def phrases(self) -> list[tuple[str, str, str]]:
        """Domain, class and phrase, in order."""
        return [(d, c, p) for d, classes in self.classes.items() for c, own in classes.items() for p in own]


def _read(given: Any) -> Any:
    """What a file says: a signal is measured anew when its taxonomy changes, not when the file is moved."""
    return config.read_yaml(given) if isinstance(given, str | Path) else given


class Params(Config):
    """`model` and `weights`: see `dataengine.models.clip.missing`. `captions`: columns of other signals whose texts are
    compared with the image too, such as `recaption`. `taxonomy`: a file like taxonomy.yaml, or what would stand in one.
    `device`: auto, cuda, mps or cpu."""

    model: str
    weights: str | None = None
    captions: list[str] = []
    taxonomy: Annotated[Taxonomy, BeforeValidator(_read)] = Field(TAXONOMY, validate_default=True)
    device: Annotated[str, HOW] = "auto"


class ClipParams(Params):
    """`aesthetic`: the file of one of LAION's heads, made for the model."""

    model: str = "ViT-L-14"
    weights: str | None = "openai"
    aesthetic: str | None = None


class SiglipParams(Params):
    model: str = "google/siglip2-base-patch16-224"


class ChineseClipParams(Params):
    model: str = "OFA-Sys/chinese-clip-vit-base-patch16"


def _columns(name: str) -> list[tuple[str, pa.DataType]]:
    return [
        (f"{name}_embedding", pa.list_(pa.float16())),
        (f"{name}_similarity", pa.float32()),
        (f"{name}_similarities", pa.map_(pa.string(), pa.float32())),
        (f"{name}_category", pa.string()),
        (f"{name}_concept", pa.string()),
        (f"{name}_probabilities", pa.map_(pa.string(), pa.float32())),
    ]


class _Embedding:
    """What the three signals share."""

    name: ClassVar[str]
    library: ClassVar[clip.Library]
    version = 2
    resources = Resources(cpus=1, memory=6 * GIB, batch=32)

    def __init__(self, params: Params) -> None:
        self.params = params
        self.encoder = clip.load(self.library, params.model, params.weights, params.device)

    @classmethod
    def missing(cls, params: Params) -> StageError | None:
        """What would keep the signal from being measured, told before anything is."""
        return clip.missing(cls.library, params.model, params.weights)

    @classmethod
    def needs(cls, params: Params) -> Sequence[str]:
        return params.captions

    @cached_property
    def phrases(self) -> np.ndarray:
        """Embeddings of the taxonomy's phrases (n, dimensions): the mean over the templates, of unit length."""
        templates = self.params.taxonomy.templates
        texts = [t.replace("{}", phrase) for _, _, phrase in self.params.taxonomy.phrases for t in templates]
        rows = np.concatenate([self.encoder.texts(texts[i : i + 64]) for i in range(0, len(texts), 64)])
        means = rows.reshape(-1, len(templates), rows.shape[1]).mean(axis=1)
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return self._table(self.encoder.images([image.pixels for image in images]), images)

    def _table(self, embedded: np.ndarray, images: Sequence[Image]) -> pa.Table:
        own = self._similarities(embedded, [image.caption for image in images])
        others = {name: self._similarities(embedded, _texts(images, name)) for name in self.params.captions}
        further = [{name: x[i] for name, x in others.items() if x[i] is not None} for i in range(len(images))]
        found = [self._classified(shares) for shares in _softmax(embedded @ self.phrases.T * self.encoder.scale)]
        values = [list(embedded.astype(np.float16)), own, further, *zip(*found, strict=True)]
        kinds = _columns(self.name)
        return pa.table({n: pa.array(v, k) for (n, k), v in zip(kinds, values, strict=True)})

    def _similarities(self, embedded: np.ndarray, captions: Sequence[str | None]) -> list[float | None]:
        said = [i for i, caption in enumerate(captions) if caption]
        similarities: list[float | None] = [None] * len(captions)
        if said:
            texts = self.encoder.texts([str(captions[i]) for i in said])
            for i, cosine in zip(said, (embedded[said] * texts).sum(axis=1).tolist(), strict=True):
                similarities[i] = cosine
        return similarities

    def _classified(self, shares: np.ndarray) -> tuple[str, str, Mapping[str, float]]:
        """The likeliest domain, the likeliest class as `domain/class`, and the probabilities of all."""
        domains: dict[str, float] = {}
        classes: dict[str, float] = {}
        for (domain, name, _), share in zip(self.params.taxonomy.phrases, shares.tolist(), strict=True):
            domains[domain] = domains.get(domain, 0) + share
            classes[f"{domain}/{name}"] = classes.get(f"{domain}/{name}", 0) + share
        return max(domains, key=domains.__getitem__), max(classes, key=classes.__getitem__), domains | classes


def _texts(images: Sequence[Image], column: str) -> list[str | None]:
    """What another signal's column has for each image."""
    texts = [image.known[column] for image in images]
    if any(not isinstance(text, str | None) for text in texts):
        raise StageError(f"captions: {column!r} holds no texts", "name columns of captions, such as recaption")
    return texts


def _softmax(logits: np.ndarray) -> np.ndarray:
    rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    return rows / rows.sum(axis=1, keepdims=True)


class Clip(_Embedding):
    """The signal `clip`."""

    Params = ClipParams
    name, library = "clip", "open_clip"
    columns = pa.schema([*_columns("clip"), ("aesthetic", pa.float32())])

    def __init__(self, params: ClipParams) -> None:
        super().__init__(params)
        self.head = aesthetic.AestheticHead(params.aesthetic) if params.aesthetic else None

    @classmethod
    def missing(cls, params: ClipParams) -> StageError | None:
        absent = super().missing(params)
        return absent or (aesthetic.missing(params.aesthetic) if params.aesthetic else None)

    def _table(self, embedded: np.ndarray, images: Sequence[Image]) -> pa.Table:
        table = super()._table(embedded, images)
        return table.append_column("aesthetic", pa.array(self._aesthetic(embedded), pa.float32()))

    def _aesthetic(self, embedded: np.ndarray) -> Any:
        if self.head is None:
            return [None] * len(embedded)
        if self.head.dimensions != embedded.shape[1]:
            raise StageError(
                f"clip.aesthetic: {Path(str(self.params.aesthetic)).name} takes {self.head.dimensions} numbers and "
                f"{self.params.model} gives {embedded.shape[1]}",
                "take the head of this model: 512 for ViT-B/32, 768 for ViT-L/14",
            )
        return self.head.score(embedded)


class Siglip(_Embedding):
    """The signal `siglip`."""

    Params = SiglipParams
    name, library = "siglip", "transformers"
    columns = pa.schema(_columns("siglip"))


class ChineseClip(_Embedding):
    """The signal `chinese_clip`. Its taxonomy had better be Chinese."""

    Params = ChineseClipParams
    name, library = "chinese_clip", "transformers"
    columns = pa.schema(_columns("chinese_clip"))
