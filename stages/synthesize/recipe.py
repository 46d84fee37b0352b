"""What a text set is to be: the recipe in `manifests/synth/*.yaml`."""

from bisect import bisect_right
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, field_validator, model_validator

from dataengine import config
from dataengine.config import Config
from dataengine.errors import ManifestError
from stages.synthesize.composition import COMPOSITIONS
from stages.synthesize.palette import COLOURS
from stages.synthesize.words.permutation import permuted
from stages.synthesize.words.strings import Strings
from stages.synthesize.words.supply import Share, capacity

Side = Annotated[int, Field(ge=16, le=4096)]
Weight = Annotated[float, Field(gt=0)]
Strategy = Literal["pure", "compositional", "complex"]


def _lines(value: Any) -> Any:
    """Several corpora are one name a line to whoever reads them."""
    return "\n".join(map(str, value)) if isinstance(value, list) else value


class Look(Config):
    """How pictures are drawn. Lists of names mean all when they are empty."""

    strategies: dict[Strategy, Weight] = Field({"pure": 1.0}, min_length=1)  # with their weights
    compositions: list[str] = []  # of pure rendering
    media: list[str] = []  # of compositional rendering
    templates: list[str] = []  # of complex rendering, by file name
    families: list[str] = []  # of type, as `dataengine fonts` names them
    grounds: list[str] = []  # colours of pure pages, by name
    inks: list[str] = []
    plain: bool = False  # pure pages in two colours and a family's regular cut: no gradients, textures, accents
    strings: Strings | None = None  # what pure pages show instead of text: a string of characters each
    sizes: list[tuple[Side, Side]] = Field([(768, 768)], min_length=1)  # width and height in pixels
    smallest: float = Field(12, ge=4)  # pixels an em

    @field_validator("grounds", "inks")
    @classmethod
    def _colours(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in COLOURS:
                raise ValueError(f"no colour {name!r}{config.suggest(name, list(COLOURS))}")
        return names

    @field_validator("compositions")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        known = [c.name for c in COMPOSITIONS]
        for name in names:
            if name not in known:
                raise ValueError(f"no composition {name!r}{config.suggest(name, known)}")
        return names


class Band(Look):
    """A stretch of a curriculum, up to the share `until` of the set's pictures. What it leaves out is the set's."""

    until: float = Field(gt=0, le=1)


class Coverage(Config):
    """Rare characters that a set has to show: each of a list (`general-standard`, its tiers `-1` to `-3`, or a file) in
    at least so many pictures."""

    characters: str
    at_least: int = Field(3, ge=1)


class Recipe(Look):
    """A text set. Picture `i` depends on what stands here and on `i`, and on nothing else."""

    name: str
    seed: int = 0
    count: int = Field(100, ge=0)
    languages: dict[str, Weight] = Field(min_length=1)  # with their weights
    mixed: float = Field(0, ge=0, le=1)  # how often a second language stands on a pure page
    corpus: Annotated[str, BeforeValidator(_lines)] = "udhr"  # a name, a folder, a table; or a list of them
    coverage: Coverage | None = None
    repeats: bool = True  # whether passages may begin where others do when the corpus is used up
    curriculum: list[Band] = []
    template_folder: Path | None = None  # a folder of one's own templates, *.yaml and *.pptx
    photographs: Path | None = None  # a folder of pictures to stand behind media; painted scenes without
    textures: Path | None = None  # a folder of pictures of surfaces to write on
    contrast: float = Field(4.5, ge=1, le=21)  # the least WCAG ratio of ink and background
    captions: Literal["en", "own", "mixed", "text"] = "en"  # `text`: what stands in the picture and nothing else
    format: Literal["jpeg", "png"] = "jpeg"
    quality: int = Field(92, ge=1, le=100)
    license: str = "public domain text; fonts under OFL-1.1"

    @model_validator(mode="after")
    def _whole_curriculum(self) -> Self:
        ends = [band.until for band in self.curriculum]
        if ends and (ends != sorted(set(ends)) or ends[-1] != 1):
            raise ValueError("curriculum: each band's `until` must be above the one before, and the last one 1")
        if self.coverage and (set(self.strategies) != {"pure"} or self.curriculum):
            raise ValueError("coverage: it goes with pure rendering alone, and without a curriculum")
        if self.coverage and self.count < self.coverage.at_least:
            raise ValueError(
                f"coverage: {self.count} pictures cannot show each character {self.coverage.at_least} times"
            )
        if self.mixed and len(self.languages) < 2:
            raise ValueError("mixed: it needs two languages")
        return self

    @model_validator(mode="after")
    def _of_pure_pages(self) -> Self:
        for look in self.looks():
            given = [name for name in ("strings", "grounds", "inks", "plain") if getattr(look, name)]
            if given and set(look.strategies) != {"pure"}:
                raise ValueError(f"{given[0]}: it goes with pure rendering alone")
        return self

    def looks(self) -> list[Look]:
        """Every look that a picture of the set may have."""
        return [self.look(index) for index in range(len(self.curriculum))] if self.curriculum else [self]

    def look(self, band: int) -> Look:
        """The look of a band: what it says, and the set's own for what it leaves out."""
        given = self.curriculum[band].model_dump(exclude_unset=True, exclude={"until"})
        return Look(**{**self.model_dump(include=set(Look.model_fields)), **given})

    def check_capacity(self, count: int) -> None:
        """Raise ManifestError when `count` pictures need more passages than the corpus has, and must not share them."""
        total = sum(self.languages.values())
        for language, weight in self.languages.items():
            asked, most = round(count * weight / total), capacity(self.corpus, language)
            if not self.repeats and asked > most:
                raise ManifestError(
                    f"set {self.name}: its corpus has passages for {most} pictures in {language!r}, not for {asked}",
                    "give a larger corpus, ask for fewer pictures, or allow `repeats: true`",
                )

    def language(self, index: int) -> tuple[str, Share]:
        """The language of a picture, and its share of that language's words. Languages are dealt out by their weights
        exactly, to within one picture."""
        count = max(1, self.count)
        lap, place = divmod(index, count)
        key = f"{self.name}/{self.seed}"
        place = permuted(place, count, f"{key}/{lap}")
        names = sorted(self.languages)
        ends = np.cumsum([self.languages[name] for name in names])
        ends = np.rint(ends / ends[-1] * count).astype(int).tolist()
        number = bisect_right(ends, place)
        start = ends[number - 1] if number else 0
        return names[number], Share(lap * (ends[number] - start) + place - start, key)

    def band(self, index: int) -> int:
        """The number of the band that a picture is in; 0 without a curriculum."""
        place = (index + 0.5) / max(1, self.count)
        return next((n for n, band in enumerate(self.curriculum) if place < band.until), len(self.curriculum) - 1)
