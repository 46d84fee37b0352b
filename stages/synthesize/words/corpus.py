"""Where a text set's words come from: headings and paragraphs, by language.

A corpus is a name: `udhr`, `handbook`, a folder of `<language>.txt`, a table (`*.parquet`, `*.jsonl`, globs too), or
several of them, one a line. The built-in ones are fetched once:

    python -m stages.synthesize.words.corpus [udhr] [handbook]
"""

import sys
from functools import cache
from pathlib import Path

from dataengine.errors import StageError
from stages.synthesize.words import handbook, own, udhr
from stages.synthesize.words.text import Text

BUILT_IN = {"udhr": (udhr.CODES, udhr.load, udhr.fetch), "handbook": (handbook.FOLDERS, handbook.load, handbook.fetch)}


def languages(corpus: str) -> list[str]:
    """The languages that a corpus has text in."""
    found = (BUILT_IN[one][0] if one in BUILT_IN else own.languages(one) for one in corpus.splitlines())
    return sorted({language for some in found for language in some})


def files(corpus: str) -> list[Path]:
    """The files of a user's own corpora, in order; those of built-in ones never change."""
    return [path for one in corpus.splitlines() if one not in BUILT_IN for path in own.files(one)]


@cache
def load(corpus: str, language: str) -> Text:
    """The text of a corpus in a language. Of several those count that have it. Raises StageError where none has."""
    several = corpus.splitlines()
    having = [one for one in several if language in languages(one)] if len(several) > 1 else several
    if not having:
        raise StageError(f"no corpus of {', '.join(several)} has {language!r}", "add one that has it")
    texts = [BUILT_IN[one][1](language) if one in BUILT_IN else own.load(one, language) for one in having]
    return Text(
        tuple(heading for text in texts for heading in text.headings),
        tuple(dict.fromkeys(paragraph for text in texts for paragraph in text.paragraphs)),
        sum(text.foreign for text in texts),
    )


if __name__ == "__main__":
    try:
        for name in sys.argv[1:] or ["udhr"]:
            if name not in BUILT_IN:
                raise StageError(f"no built-in corpus {name!r}", f"there are {', '.join(BUILT_IN)}")
            print(f"{name} in {BUILT_IN[name][2]()}")
    except StageError as error:
        sys.exit(f"error: {error}")
