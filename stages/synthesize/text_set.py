"""Text sets: so many pictures drawn by a recipe, each from (set, seed, index) alone.

The source `text_set`. Any range of a set gives the same pictures as the whole; what cannot be drawn is a failure at its
index and is never replaced by another draw.
"""

import hashlib
import io
import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import BeforeValidator, Field

from dataengine import config
from dataengine.config import Config, suggest
from dataengine.errors import ManifestError, SampleError, StageError
from dataengine.sample import Failure, Sample, generator, synthetic_id
from dataengine.stage import GIB, Limits, Piece, Resources
from fonts import catalog
from fonts.catalog import Family
from stages.synthesize import captions, complex, compositional, palette, pure, quality, versions
from stages.synthesize.composition import COMPOSITIONS, STRING
from stages.synthesize.recipe import Look, Recipe
from stages.synthesize.scene import Drawn
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words import corpus, longtail
from stages.synthesize.words.longtail import Deal
from stages.synthesize.words.supply import Supply

_FONTS = "`dataengine fonts` lists the families and their languages"
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def _load(value: Any) -> Any:
    return config.load(Recipe, value) if isinstance(value, str) else value


class Params(Config):
    """`set` is a recipe or the path of one; what it says, not where it lies, decides what has to be drawn again."""

    set: Annotated[Recipe, BeforeValidator(_load)]
    count: int | None = Field(None, ge=0)
    start: int = Field(0, ge=0)
    category: str = "synthetic"


class TextSet:
    """The source `text_set`. The run's seed has no say here: a set carries its own."""

    Params = Params
    version = 8
    resources = Resources(cpus=1, memory=GIB)

    def __init__(self, name: str, seed: int, params: Params) -> None:
        self.name, self.params, self.recipe = name, params, params.set
        self._looks = self.recipe.looks()
        self._languages = sorted(self.recipe.languages)

    def plan(self, limits: Limits) -> Iterator[Piece]:
        self._check()
        count = self.recipe.count if self.params.count is None else self.params.count
        # An image takes at most its pixels, whatever its format; three bytes each is far above what JPEG takes.
        sizes = [size for look in self._looks for size in look.sizes]
        largest = max(width * height for width, height in sizes) * 3 + 4096
        step = max(1, min(limits.samples, limits.bytes // largest))
        stop = self.params.start + count
        assets = self._assets()
        for start in range(self.params.start, stop, step):
            inputs = min(step, stop - start)
            yield Piece({"start": start, "count": inputs, "assets": assets}, inputs)

    def _check(self) -> None:
        """Miss now, and not on every actor, what is missing."""
        _ = self._deal
        for language in self._languages:
            corpus.load(self.recipe.corpus, language)
            for family in catalog.for_language(language):
                family.paths()
        for look, language in itertools.product(self._looks, self._languages):
            if not self._chosen(look, language):
                names = ", ".join(look.families)
                raise ManifestError(f"set {self.recipe.name}: no family writes {language!r}: {names}", _FONTS)
        for look in self._looks:
            if "pure" in look.strategies:
                for language in self._languages:
                    if not self._compositions(look, language):
                        names = ", ".join(look.compositions)
                        raise ManifestError(f"set {self.recipe.name}: no composition suits {language!r}: {names}")
            if "compositional" in look.strategies:
                compositional.choices(look.media, self.recipe.textures)
            if "complex" in look.strategies:
                templates = self._templates(look)
                for width, height in look.sizes:
                    complex.suiting(templates, width, height)
        count = self.recipe.count if self.params.count is None else self.params.count
        self.recipe.check_capacity(self.params.start + count)
        if self.recipe.photographs and not self._photographs:
            raise StageError(f"{self.recipe.photographs}: no pictures there", "put .jpg, .png or .webp files there")

    def _assets(self) -> str:
        """A digest of everything that pictures are drawn from beside what the recipe says: the catalogue's families,
        and the files of the user's own that it names."""
        recipe, state = self.recipe, hashlib.blake2b(digest_size=16)
        state.update(repr(list(self._families.items())).encode())
        folders = [f for f in (recipe.photographs, recipe.textures, recipe.template_folder) if f]
        files = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
        for path in (*files, *corpus.files(recipe.corpus)):
            state.update(path.name.encode("utf-8", "replace") + b"\0" + path.read_bytes())
        return state.hexdigest()

    @cached_property
    def _photographs(self) -> tuple[Path, ...]:
        folder = self.recipe.photographs
        if folder is None:
            return ()
        if not folder.is_dir():
            raise StageError(f"{folder}: no such folder", "give a folder of pictures as `photographs`, or leave it out")
        return tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in _PICTURES))

    def _compositions(self, look: Look, language: str) -> list[pure.Composition]:
        if look.strings:
            return [STRING]
        named = [c for c in COMPOSITIONS if not look.compositions or c.name in look.compositions]
        return [c for c in named if c.suits(language) and (c.passages or not self.recipe.coverage)]

    @cached_property
    def _deal(self) -> Deal | None:
        asked, recipe = self.recipe.coverage, self.recipe
        if asked is None:
            return None
        wanted = longtail.characters(asked.characters)
        return Deal(wanted, asked.at_least, recipe.count, f"{recipe.name}/{recipe.seed}")

    def _templates(self, look: Look) -> tuple[complex.Template, ...]:
        known = self._all_templates
        names = [Path(template.file).stem for template in known]
        for name in look.templates:
            if name not in names:
                raise ManifestError(f"set {self.recipe.name}: no template {name!r}{suggest(name, names)}")
        return tuple(t for t in known if not look.templates or Path(t.file).stem in look.templates)

    @cached_property
    def _all_templates(self) -> tuple[complex.Template, ...]:
        return complex.templates(self.recipe.template_folder)

    @cached_property
    def _families(self) -> dict[str, tuple[Family, ...]]:
        return {language: catalog.for_language(language) for language in self._languages}

    def _chosen(self, look: Look, language: str) -> list[Family]:
        return [f for f in self._families[language] if not look.families or f.name in look.families]

    @cached_property
    def _setter(self) -> Typesetter:
        # English words stand in texts of all languages, and are set in its families where a font lacks their letters.
        families = [*self._families.values(), catalog.for_language("en")]
        return Typesetter(list(dict.fromkeys(family for some in families for family in some)))

    def versions(self) -> Mapping[str, str]:
        """What decides the pixels beside the recipe: libraries, codecs, and the fonts' digests."""
        used = [family for families in self._families.values() for family in families]
        return versions.versions(list(dict.fromkeys(used)))

    def produce(self, piece: Piece) -> Iterator[Sample | Failure]:
        start = piece.payload["start"]
        for index in range(start, start + piece.payload["count"]):
            yield self.picture(index)

    def picture(self, index: int) -> Sample | Failure:
        """The picture at an index of the set."""
        recipe = self.recipe
        uri = f"set://{recipe.name}/{recipe.seed}/{index}"
        rng = generator(recipe.name, recipe.seed, index)
        band = recipe.band(index)
        look = self._looks[band]
        language, share = recipe.language(index)
        dealt = self._deal.of(index) if self._deal else ()
        strategy = _one_of(rng, look.strategies)
        size = look.sizes[int(rng.integers(len(look.sizes)))]
        try:
            supply = Supply(recipe.corpus, language, rng, share, dealt, look.strings)
            drawn = self._draw(rng, look, strategy, supply, size)
            found = quality.inspect(drawn)
            quality.refuse(found, recipe.contrast, look.smallest)
        except SampleError as error:
            return Failure.of(error, source=self.name, uri=uri, stage="synthesize")
        meta = {"strategy": strategy, "set": recipe.name, "seed": recipe.seed, "index": index, "corpus": recipe.corpus}
        if recipe.curriculum:
            meta["band"] = band
        if dealt:
            meta["asked"] = "".join(dealt)
        written = captions.write(drawn.scene, rng, recipe.captions)
        meta |= {"short_caption": written.short, "long_caption": written.long}
        return Sample(
            sample_id=synthetic_id(recipe.name, recipe.seed, index),
            source=self.name,
            uri=uri,
            encoded=encode(drawn.pixels, recipe.format, recipe.quality),
            format=recipe.format,
            width=size[0],
            height=size[1],
            caption=written.caption,
            language=language,
            category=self.params.category,
            license=recipe.license,
            text=drawn.paragraphs,
            meta={**drawn.meta, **found.facts(), **meta},
        )

    def _draw(
        self, rng: np.random.Generator, look: Look, strategy: str, supply: Supply, size: tuple[int, int]
    ) -> Drawn:
        recipe, language = self.recipe, supply.language
        families = self._chosen(look, language)
        if strategy == "pure":
            companion = None
            if recipe.mixed and rng.random() < recipe.mixed:
                others = {other: weight for other, weight in recipe.languages.items() if other != language}
                other = _one_of(rng, others)
                companion = pure.Companion(Supply(recipe.corpus, other, rng), self._families[other])
            page = pure.brief(
                rng,
                supply=supply,
                size=size,
                compositions=self._compositions(look, language),
                families=families,
                least_contrast=recipe.contrast,
                colours=palette.Choice(tuple(look.grounds), tuple(look.inks), look.plain),
                companion=companion,
            )
            return pure.draw(self._setter, page, look.smallest, rng)
        shared = {
            "setter": self._setter,
            "supply": supply,
            "families": families,
            "size": size,
            "smallest": look.smallest,
            "contrast": recipe.contrast,
        }
        if strategy == "compositional":
            return compositional.draw(
                rng, **shared, media=look.media, photographs=self._photographs, textures=recipe.textures
            )
        return complex.draw(rng, **shared, templates=self._templates(look))


def _one_of(rng: np.random.Generator, weighted: dict[str, float]) -> str:
    names = sorted(weighted)
    weights = np.array([weighted[name] for name in names])
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def encode(pixels: np.ndarray, format: str, quality: int) -> bytes:
    """Encoded image. JPEG keeps full colour resolution, which thin coloured type needs."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if format == "jpeg":
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
