"""The versions of everything that decides a text set's pictures beside its recipe: the same ones, the same bytes."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from PIL import features

from fonts.catalog import Family
from stages.synthesize.typeset import versions as typesetting

# What draws, and what gives words, readings and divisions of words.
_PACKAGES = (
    "dataengine",
    "numpy",
    "opencv-contrib-python",
    "pillow",
    "pyphen",
    "sudachipy",
    "sudachidict-small",
    "faker",
)


def versions(families: Sequence[Family]) -> dict[str, str]:
    """Packages, codecs, system libraries, and the digests of each family's files. Raises StageError for a missing
    library."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    turbo = features.version_feature("libjpeg_turbo")
    found["jpeg"] = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version_codec('jpg')}"
    found["png"] = f"zlib-ng {features.version_feature('zlib_ng')}" if features.check("zlib_ng") else "zlib"
    return {**found, **typesetting.versions(families)}
