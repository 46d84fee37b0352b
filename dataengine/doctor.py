"""What this machine has and lacks for dataengine: packages, system libraries, fonts, corpora, weights, devices."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions

from rich.console import Console

from dataengine.errors import DataEngineError
from dataengine.stage import Limits, find

_PACKAGES = {
    "ray": "dataengine[engine]",
    "cv2": "dataengine[engine]",
    "paddleocr": "dataengine[engine]",
    "rapidocr": "dataengine[engine]",
    "torch": "dataengine[train]",
}


@dataclass(frozen=True)
class Check:
    """One thing that is looked for; `remedy` is empty when it is there."""

    subject: str
    found: str
    remedy: str = ""


def checks() -> Iterator[Check]:
    """Every check, in the order in which a new machine would be set up."""
    for package, extra in _PACKAGES.items():
        there = importlib.util.find_spec(package) is not None
        yield Check(package, "installed" if there else "missing", "" if there else f"pip install '{extra}'")
    cv2 = sorted(opencv_distributions())
    yield Check(
        "one OpenCV",
        ", ".join(cv2) or "none",
        ""
        if len(cv2) == 1
        else f"pip uninstall -y {' '.join(cv2)}; pip install --no-deps opencv-contrib-python==4.10.0.84",
    )
    for name in ("ocr", "nsfw"):
        yield _signal(name)
    yield _text()
    yield _device()


def opencv_distributions() -> set[str]:
    """The installed distributions that ship `cv2`: four exist, and whichever came last has overwritten the others."""
    names = (d.metadata["Name"] or "" for d in distributions())
    return {n.lower().replace("_", "-") for n in names if n.lower().replace("_", "-").startswith("opencv-")}


def show(console: Console) -> None:
    """Print the checks; raises DataEngineError when something is to be mended."""
    mended = True
    for check in checks():
        mark = "[red]✗[/]" if check.remedy else "[green]✓[/]"
        console.print(f"{mark} {check.subject:<18} {check.found}", highlight=False)
        if check.remedy:
            mended = False
            console.print(f"    → {check.remedy}", highlight=False, markup=False)
    if not mended:
        raise DataEngineError("something is missing here", "do what the arrows say; leave out stages you do not use")


def _signal(name: str) -> Check:
    try:
        kind = find(name)
        kind(kind.Params())
    except DataEngineError as error:
        return Check(name, error.message, error.remedy or "see docs/signals.md")
    return Check(name, "its weights load")


def _text() -> Check:
    """Draw one page: libraries, fonts and corpus are all needed for that."""
    try:
        kind = find("text_set")
        recipe = {"name": "doctor", "languages": {"en": 1}, "sizes": [[256, 256]]}
        source = kind("doctor", 0, kind.Params(set=recipe, count=1))
        pieces = list(source.plan(Limits()))
        list(source.produce(pieces[0]))
    except DataEngineError as error:
        return Check("text sets", error.message, error.remedy)
    return Check("text sets", "a page was drawn")


def _device() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("device", "cpu (no torch)")
    import torch

    if torch.cuda.is_available():
        return Check("device", f"cuda: {torch.cuda.get_device_name()}")
    return Check("device", "mps" if torch.backends.mps.is_available() else "cpu")
