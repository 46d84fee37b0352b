"""The templates there are: those that come with dataengine, and a user's own."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from dataengine.errors import ManifestError
from stages.synthesize.complex import slides
from stages.synthesize.complex.template import Template, read

BUILT_IN = Path(__file__).with_name("templates")


def templates(folder: Path | None = None) -> tuple[Template, ...]:
    """The built-in templates, and those of a folder of one's own: *.yaml, and each slide of *.pptx.

    Raises ManifestError that names the file when one is wrong or the folder has none.
    """
    return _built_in() + (_own(folder) if folder else ())


@cache
def _built_in() -> tuple[Template, ...]:
    return tuple(read(path) for path in sorted(BUILT_IN.glob("*.yaml")))


def _own(folder: Path) -> tuple[Template, ...]:
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such folder", "give a folder that holds *.yaml or *.pptx")
    found = [read(path) for path in sorted(folder.glob("*.yaml"))]
    # An editor's lock file, ~$name.pptx, is no presentation.
    for path in sorted(path for path in folder.glob("*.pptx") if not path.name.startswith("~$")):
        found += slides.read(path)
    if not found:
        raise ManifestError(f"{folder}: no template there", "put *.yaml or *.pptx files into it")
    return tuple(found)


def suiting(choices: Sequence[Template], width: int, height: int) -> list[Template]:
    """The templates that suit a picture of a size. Raises ManifestError where there is none."""
    found = [template for template in choices if template.suits(width, height)]
    if not found:
        raise ManifestError(f"no template suits {width}×{height}", "add one whose `aspect` holds that shape")
    return found
