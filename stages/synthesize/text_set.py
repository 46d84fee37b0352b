"""Text sets: so many pages drawn by a recipe, each from (set, seed, index) alone.

The source `text_set`. Any range of a set gives the same pages as the whole; what cannot be drawn is a failure at its
index and is never replaced by another draw.
"""

import io
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BeforeValidator, Field, field_validator

from dataengine import config
from dataengine.config import Config
from dataengine.errors import SampleError
from dataengine.sample import Failure, Sample, generator, synthetic_id
from dataengine.stage import GIB, Limits, Piece, Resources
from fonts import catalog
from fonts.catalog import Family
from stages.synthesize import caption, pure
from stages.synthesize.composition import COMPOSITIONS
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words import corpus
from stages.synthesize.words.supply import Supply

Side = Annotated[int, Field(ge=64, le=4096)]


class TextSetConfig(Config):
    """The recipe of a set: `manifests/synth/*.yaml`."""

    name: str
    seed: int = 0
    count: int = Field(100, ge=0)
    languages: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)  # with their weights
    corpus: str = "udhr"  # or a folder of <language>.txt
    sizes: list[tuple[Side, Side]] = Field([(768, 768)], min_length=1)  # width and height in pixels
    compositions: list[str] = []  # by name; all when empty
    smallest: float = Field(12, ge=4)  # pixels an em
    contrast: float = Field(4.5, ge=1, le=21)  # the least WCAG ratio of ink and background
    format: Literal["jpeg", "png"] = "jpeg"
    quality: int = Field(92, ge=1, le=100)
    license: str = "public domain text; fonts under OFL-1.1"

    @field_validator("compositions")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        known = [c.name for c in COMPOSITIONS]
        for name in names:
            if name not in known:
                raise ValueError(f"no composition {name!r}{config.suggest(name, known)}")
        return names


def _load(value: Any) -> Any:
    return config.load(TextSetConfig, value) if isinstance(value, str) else value


class Params(Config):
    """`set` is a recipe or the path of one; what it says, not where it lies, decides what has to be drawn again."""

    set: Annotated[TextSetConfig, BeforeValidator(_load)]
    count: int | None = Field(None, ge=0)
    start: int = Field(0, ge=0)
    category: str = "synthetic"


class TextSet:
    """The source `text_set`. The run's seed has no say here: a set carries its own."""

    Params = Params
    version = 4
    resources = Resources(cpus=1, memory=GIB)

    def __init__(self, name: str, seed: int, params: Params) -> None:
        self.name, self.params, self.recipe = name, params, params.set
        self._languages = sorted(self.recipe.languages)
        weights = np.array([self.recipe.languages[language] for language in self._languages])
        self._weights = weights / weights.sum()
        names = self.recipe.compositions
        self._compositions = [c for c in COMPOSITIONS if not names or c.name in names]

    def plan(self, limits: Limits) -> Iterator[Piece]:
        for language in self._languages:  # what is missing is missed now, not on every actor
            corpus.load(self.recipe.corpus, language)
            for family in catalog.for_language(language):
                family.paths()
        count = self.recipe.count if self.params.count is None else self.params.count
        # An image takes at most its pixels, whatever its format; three bytes each is far above what JPEG takes.
        largest = max(width * height for width, height in self.recipe.sizes) * 3 + 4096
        step = max(1, min(limits.samples, limits.bytes // largest))
        stop = self.params.start + count
        for start in range(self.params.start, stop, step):
            inputs = min(step, stop - start)
            yield Piece({"start": start, "count": inputs}, inputs)

    @cached_property
    def _families(self) -> dict[str, tuple[Family, ...]]:
        return {language: catalog.for_language(language) for language in self._languages}

    @cached_property
    def _setter(self) -> Typesetter:
        return Typesetter([family for families in self._families.values() for family in families])

    def produce(self, piece: Piece) -> Iterator[Sample | Failure]:
        start = piece.payload["start"]
        for index in range(start, start + piece.payload["count"]):
            yield self.page(index)

    def page(self, index: int) -> Sample | Failure:
        """The page at an index of the set."""
        recipe = self.recipe
        uri = f"set://{recipe.name}/{recipe.seed}/{index}"
        rng = generator(recipe.name, recipe.seed, index)
        language = self._languages[int(rng.choice(len(self._languages), p=self._weights))]
        size = recipe.sizes[int(rng.integers(len(recipe.sizes)))]
        brief = pure.brief(
            rng,
            supply=Supply(recipe.corpus, language, rng),
            size=size,
            compositions=self._compositions,
            families=self._families[language],
            least_contrast=recipe.contrast,
        )
        try:
            drawn = pure.draw(self._setter, brief, recipe.smallest, rng)
        except SampleError as error:
            return Failure.of(error, source=self.name, uri=uri, stage="synthesize")
        return Sample(
            sample_id=synthetic_id(recipe.name, recipe.seed, index),
            source=self.name,
            uri=uri,
            encoded=encode(drawn.pixels, recipe.format, recipe.quality),
            format=recipe.format,
            width=brief.width,
            height=brief.height,
            caption=caption.write(drawn.scene, rng),
            language=language,
            category=self.params.category,
            license=recipe.license,
            text=drawn.paragraphs,
            meta={**drawn.meta, "set": recipe.name, "seed": recipe.seed, "index": index, "corpus": recipe.corpus},
        )


def encode(pixels: np.ndarray, format: str, quality: int) -> bytes:
    """Encoded image. JPEG keeps full colour resolution, which thin coloured type needs."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if format == "jpeg":
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
