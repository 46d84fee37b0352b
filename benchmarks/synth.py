"""Milliseconds a picture of each strategy and language, beside encoding that picture as a JPEG in the same run.

    python benchmarks/synth.py [--pages 30] [--strategy pure ...] [--language en ...]
    python benchmarks/synth.py --peers        images/s beside the peers', which benchmarks/peers/install installs
    python benchmarks/synth.py --profile      where the time goes
    python benchmarks/synth.py --workers      images/s of 1 and of 2 processes
    python benchmarks/synth.py --memory       what a process holds after it used 40 families

A picture is 1024 × 1024, a pure page with about 300 characters; its size is found automatically; the quadrilaterals of
lines, words and characters and the caption are part of the time. Families and weights rotate, so that fonts are not
always warm. The baseline is Pillow's JPEG encoder at quality 92 without chroma subsampling, on the same pixels.
"""

import argparse
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import mean, median
from types import FrameType

import cv2
import numpy as np
import psutil
from peers import compare

from dataengine.errors import SampleError
from dataengine.sample import generator
from fonts import catalog
from fonts.catalog import Family
from stages.synthesize import captions, complex, compositional, pure
from stages.synthesize.composition import Composition, Part
from stages.synthesize.scene import Drawn
from stages.synthesize.text_set import encode
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import DENSITY, Supply

SIZE = (1024, 1024)
LANGUAGES = ("en", "ru", "zh-Hans", "zh-Hant", "ja", "ko", "ar", "hi", "th")
PASSAGE = Part("passage", (280, 320), align="justify")
ROOT = str(Path(pure.__file__).parent) + "/"

Draw = Callable[[np.random.Generator, Typesetter, Supply, Sequence[Family]], Drawn]


def _pure(rng: np.random.Generator, setter: Typesetter, supply: Supply, families: Sequence[Family]) -> Drawn:
    wanted = round(300 / DENSITY.get(supply.language, 1))  # of Latin text, which the supply scales down again
    passage = replace(PASSAGE, characters=(wanted - 20, wanted + 20))
    brief = pure.brief(
        rng,
        supply=supply,
        size=SIZE,
        compositions=[Composition("a book page", (0.08, 0.08), story=(passage,), size=(0.01, 0.2))],
        families=families,
        least_contrast=4.5,
    )
    return pure.draw(setter, brief, 10, rng)


def _in_scene(draw: Callable[..., Drawn], **choices: object) -> Draw:
    """The other strategies, which differ in their choices alone; how much text there is, is theirs to say."""

    def drawn(rng: np.random.Generator, setter: Typesetter, supply: Supply, families: Sequence[Family]) -> Drawn:
        given = {"setter": setter, "supply": supply, "families": families, "size": SIZE}
        return draw(rng, **given, smallest=12, contrast=4.5, **choices)

    return drawn


# A strategy, and how many times the JPEG's time it may take, the JPEG included.
STRATEGIES: dict[str, tuple[Draw, float]] = {
    "pure": (_pure, 3),
    "complex": (_in_scene(complex.draw, templates=complex.templates()), 6),
    "compositional": (_in_scene(compositional.draw), 20),
}
# What a peer is held against, and how many times its images/s are wanted, by language.
RIVALS: dict[str, tuple[str, dict[str, float]]] = {
    "SynthTIGER": ("pure", {"en": 10, "zh-Hans": 30}),
    "TRDG": ("pure", {}),
    "SynthDoG": ("compositional", {"en": 8, "zh-Hans": 8}),
}
# What is done where: the first that a file and function begin with, below stages/synthesize/.
ROOMS = {
    "words/": "words",
    "typeset/glyphs.py:read": "geometry",
    "typeset/setter.py:Typesetter.draw": "geometry",
    "typeset/canvas.py": "drawing",
    "typeset/": "layout",
    "backgrounds.py": "background",
    "palette.py": "background",
    "compositional/scenes.py": "background",
    "compositional/surfaces.py": "background",
    "compositional/textures.py": "background",
    "compositional/": "light and place",
    "complex/paint.py": "shapes",
    "complex/charts.py": "shapes",
    "complex/shapes.py": "shapes",
    "complex/icons.py": "shapes",
    "complex/pictures.py": "shapes",
    "complex/": "templates",
    "captions": "captions",
    "text_set.py": "encoding",
}


@dataclass(frozen=True)
class Picture:
    """A finished picture's characters, and the seconds it took to draw and caption it, and to encode it."""

    characters: int
    drawing: float
    encoding: float


class Studio:
    """Draws pictures of a strategy in a language, one after the other, with the families taking turns."""

    def __init__(self, strategy: str, language: str, setter: Typesetter) -> None:
        self._draw, self.strategy, self.language, self._setter = STRATEGIES[strategy][0], strategy, language, setter
        self.refused = 0

    @cached_property
    def _families(self) -> Sequence[Family]:
        return catalog.for_language(self.language)

    def pictures(self) -> Iterator[Picture]:
        """Without end, the first ones of every family left out: they warm up."""
        for index in range(-2 * len(self._families), sys.maxsize):
            rng = generator(self.strategy, 0, index)
            began = time.perf_counter()
            try:
                drawn = self._draw(rng, self._setter, Supply("udhr", self.language, rng), self._families)
                captions.write(drawn.scene, rng)
            except SampleError:  # a character that the family lacks, or a text that does not fit
                self.refused += index >= 0
                continue
            done = time.perf_counter()
            encode(drawn.pixels, "jpeg", 92)
            ended = time.perf_counter()
            if index >= 0:
                yield Picture(sum(len(p.content) for p in drawn.paragraphs), done - began, ended - done)


def table(
    strategies: Sequence[str], languages: Sequence[str], pages: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """Print each strategy and language. By both, the characters and the milliseconds, encoded, of a picture."""
    setter = Typesetter(catalog.families())
    found = {}
    for strategy in strategies:
        most = STRATEGIES[strategy][1]
        print(
            f"\n{strategy}, at most {most} × JPEG\n{'language':<10}{'characters':>11}{'refused':>9}{'draw ms':>9}"
            f"{'JPEG ms':>9}{'all ms':>8}{'all / JPEG':>12}{'images/s':>10}"
        )
        for language in languages:
            studio = Studio(strategy, language, setter)
            pictures = list(islice(studio.pictures(), pages))
            draw, jpeg = (median(getattr(p, part) for p in pictures) * 1e3 for part in ("drawing", "encoding"))
            ratio, characters = (draw + jpeg) / jpeg, mean(p.characters for p in pictures)
            print(
                f"{language:<10}{characters:>11.0f}"
                f"{studio.refused / (studio.refused + pages):>9.0%}{draw:>9.2f}{jpeg:>9.2f}{draw + jpeg:>8.2f}"
                f"{ratio:>12.2f}{1e3 / (draw + jpeg):>10.0f}{'' if ratio <= most else '  over'}"
            )
            found[strategy, language] = characters, draw + jpeg
    return found


def beside_peers(pages: int) -> None:
    """Print the peers' milliseconds a picture and how many times their images/s ours are, for as many characters."""
    ours = table(list(STRATEGIES), compare.LANGUAGES, pages)
    print(
        f"\n{'':<48}{'fonts as installed':>20}{'fonts made easy':>20}\n{'peer':<20}{'language':<9}{'characters':>11}"
        f"{'ours ms':>8}{'ms':>12}{'ratio':>8}{'ms':>12}{'ratio':>8}{'wanted':>9}  beside"
    )
    for peer, (strategy, wanted) in RIVALS.items():
        for language in compare.LANGUAGES:
            characters, ms = ours[strategy, language]
            low, high = (round(characters * share / DENSITY.get(language, 1)) for share in (0.93, 1.07))
            supplies = (Supply("udhr", language, generator("peers", 0, index)) for index in range(8))
            found = compare.timed(peer, language, [supply.passage(low, high) for supply in supplies], SIZE)
            print(
                f"{found.peer:<20}{language:<9}{characters:>11.0f}{ms:>8.1f}"
                f"{found.as_installed:>12.1f}{found.as_installed / ms:>7.1f}×"
                f"{found.made_easy:>12.1f}{found.made_easy / ms:>7.1f}×"
                f"{f'{wanted[language]}×' if language in wanted else '':>9}  {strategy}"
            )


class Sampler:
    """Books time to rooms while it is entered. A timer asks every millisecond what runs, and the time since it
    last asked is that room's: Python answers between two steps, so a long call into C counts as long as it took."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def __enter__(self) -> "Sampler":
        self._last = time.perf_counter()
        signal.signal(signal.SIGALRM, self._book)
        signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _book(self, _: int, frame: FrameType | None) -> None:
        now = time.perf_counter()
        self.seconds[_room(frame)] += now - self._last
        self._last = now


def _room(frame: FrameType | None) -> str:
    while frame and not frame.f_code.co_filename.startswith(ROOT):
        frame = frame.f_back
    if frame:
        place = f"{frame.f_code.co_filename.removeprefix(ROOT)}:{frame.f_code.co_qualname}"
        return next((room for start, room in ROOMS.items() if place.startswith(start)), "composition")
    return "the benchmark"


def profile(strategies: Sequence[str], languages: Sequence[str], pages: int) -> None:
    """Print the milliseconds a picture that each room takes, the largest first."""
    setter = Typesetter(catalog.families())
    for strategy in strategies:
        for language in languages:
            pictures = Studio(strategy, language, setter).pictures()
            next(pictures)
            with Sampler() as sampler:
                for _ in islice(pictures, pages):
                    pass
            rooms = [(room, seconds / pages * 1e3) for room, seconds in sampler.seconds.most_common()]
            parts = ", ".join(f"{room} {ms:.2f}" for room, ms in rooms if ms >= 0.01)
            print(f"{strategy} {language}: {sum(ms for _, ms in rooms):.1f} ms a picture: {parts}")


def workers(strategies: Sequence[str], languages: Sequence[str]) -> None:
    """Print the images/s of one process and of two at once, the best of three rounds each: others share the machine."""
    print(f"{'images/s':<24}{'1 process':>10}{'2 processes':>12}{'scaling':>9}")
    spawn = get_context("spawn")
    for strategy in strategies:
        for language in languages:
            rates = []
            for count in (1, 2):
                with ProcessPoolExecutor(count, spawn, _together, (spawn.Barrier(count),)) as pool:
                    each = pool.map(_rates, [strategy] * count, [language] * count)
                    rates.append(max(sum(together) for together in zip(*each, strict=True)))
            print(f"{strategy + ' ' + language:<24}{rates[0]:>10.1f}{rates[1]:>12.1f}{rates[1] / rates[0]:>8.2f}×")


def _together(barrier: Barrier) -> None:
    """In each process at first: where they wait for each other, so that both are timed under both's load."""
    global _barrier
    _barrier = barrier


def _rates(strategy: str, language: str) -> list[float]:
    """Images/s of this process, warm, in each of three rounds of three seconds."""
    cv2.setNumThreads(1)
    pictures = Studio(strategy, language, Typesetter(catalog.for_language(language))).pictures()
    next(pictures)
    rates = []
    for _ in range(3):
        _barrier.wait()
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < 3:
            next(pictures)
            count += 1
        rates.append(count / (time.perf_counter() - began))
    return rates


def memory(strategies: Sequence[str], wanted: int = 40) -> None:
    """Print what a process holds in memory after it drew with so many families, and the most it held."""
    print(f"{'MiB':<24}{'families':>9}{'at first':>10}{'at the end':>11}{'peak':>7}")
    for strategy in strategies:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            used, first, last, peak = pool.submit(_memory, strategy, wanted).result()
        print(f"{strategy:<24}{used:>9}{first:>10.0f}{last:>11.0f}{peak:>7.0f}")


def _memory(strategy: str, wanted: int) -> tuple[int, float, float, float]:
    process = psutil.Process()
    families = catalog.families()[:wanted]
    setter = Typesetter(families)
    first = process.memory_info().rss
    used = 0
    for family in families:
        for index in range(8):  # the first that can be written
            rng = generator("memory", 0, index)
            try:
                drawn = STRATEGIES[strategy][0](rng, setter, Supply("udhr", family.languages[0], rng), [family])
            except SampleError:
                continue
            encode(drawn.pixels, "jpeg", 92)
            used += 1
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return used, first / 2**20, process.memory_info().rss / 2**20, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=30, help="pictures a figure")
    parser.add_argument("--strategy", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--language", nargs="+", help="what to time; two for the profile and the scaling by default")
    what = parser.add_mutually_exclusive_group()
    for option in ("peers", "profile", "workers", "memory"):
        what.add_argument(f"--{option}", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)  # all figures are of one core
    if given.peers:
        beside_peers(given.pages)
    elif given.profile:
        profile(given.strategy, given.language or compare.LANGUAGES, given.pages)
    elif given.workers:
        workers(given.strategy, given.language or compare.LANGUAGES)
    elif given.memory:
        memory(given.strategy)
    else:
        table(given.strategy, given.language or LANGUAGES, given.pages)


if __name__ == "__main__":
    main()
