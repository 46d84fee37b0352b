"""Asks the peers for pages and hands back the milliseconds that each took; runs in the project's own environment.

Two figures a peer. `as installed` is with the catalogue's own files. `made easy` is with those files cut to the pages'
characters and to one static instance: Pillow reads a font's layout tables anew for every word, so large and variable
fonts cost the peers two to ten times as much. Who uses a peer has fonts somewhere between the two.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

from dataengine.errors import StageError
from fonts import catalog
from fonts.catalog import Family

HERE = Path(__file__).parent
HOME = HERE.parents[1] / "build" / "peers"
# A peer's script, and the environment it runs in. SynthDoG's stand-in is written on SynthTIGER's components.
PEERS = {
    "SynthTIGER": ("run_synthtiger.py", "synthtiger"),
    "SynthDoG": ("run_synthdog.py", "synthtiger"),
    "TRDG": ("run_trdg.py", "trdg"),
}
# Pixels an em and characters a line that fill a page of 1024 × 1024 with 300 characters, as the project's fitting does.
_TYPE = {"en": (56, 30), "zh-Hans": (44, 21)}
LANGUAGES = tuple(_TYPE)


@dataclass(frozen=True)
class Timed:
    """Median milliseconds a page, encoded."""

    peer: str
    as_installed: float
    made_easy: float


def timed(peer: str, language: str, texts: Sequence[str], size: tuple[int, int]) -> Timed:
    """A peer's time for pages with these texts. Raises StageError when it is not installed or fails."""
    families = catalog.for_language(language)
    em, columns = _TYPE[language]
    grown = sqrt(300 * len(texts) / sum(map(len, texts)))  # fewer characters are set larger
    script, environment = PEERS[peer]
    job = {
        "language": language,
        "texts": texts,
        "size": size,
        "em": round(em * grown),
        "columns": round(columns / grown),
        "show": str(HOME / f"{peer}-{language}.png"),
    }
    easy = [str(_easy(family, "".join(texts), language)) for family in families]
    installed = [str(family.paths()[0]) for family in families]
    slow, quick = (_ask(script, environment, {**job, "fonts": fonts}) for fonts in (installed, easy))
    return Timed(quick["peer"], slow["ms"], quick["ms"])


def _ask(script: str, environment: str, job: dict) -> dict:
    python = HOME / environment / ".venv/bin/python"
    if not python.exists():
        raise StageError(f"the peer {environment} is not installed", "benchmarks/peers/install")
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one core a peer, as for the project
    answer = subprocess.run(
        [python, HERE / script], input=json.dumps(job), capture_output=True, text=True, env=os.environ | threads
    )
    if answer.returncode:
        raise StageError(f"{script} failed: {answer.stderr.strip()[-400:]}", "benchmarks/peers/install")
    return json.loads(answer.stdout.splitlines()[-1])  # pygame and TRDG greet before it


def _easy(family: Family, text: str, language: str) -> Path:
    """The family's font with the characters of `text` alone, and without axes."""
    made = HOME / "fonts" / language / f"{family.name}.otf"
    made.parent.mkdir(parents=True, exist_ok=True)
    font = TTFont(family.paths()[0], fontNumber=family.face)
    cut = subset.Subsetter()
    cut.populate(text=text)
    cut.subset(font)
    if "fvar" in font:
        instancer.instantiateVariableFont(font, {a.axisTag: a.defaultValue for a in font["fvar"].axes}, inplace=True)
    font.save(made)
    return made
