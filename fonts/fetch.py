"""Fetching the fonts that no Python package has: from npm and from Debian, into the cache.

    python -m fonts.fetch

Needs npm, and on Debian and its kin apt-get and dpkg-deb, but no rights: nothing is installed. Elsewhere a Debian
package can be unpacked by hand and named as `folder:`.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dataengine.config import cache_folder
from dataengine.errors import StageError
from fonts import catalog
from fonts.catalog import Family


def fetch(families: Sequence[Family]) -> list[str]:
    """Fetch what is missing of some families' sources; the names of those fetched. A source whose files stand is left
    alone. Raises StageError when one cannot be had."""
    fetched = []
    for source in dict.fromkeys(f.source for f in families if f.source.startswith(("npm:", "deb:"))):
        wanted = sorted({file for family in families if family.source == source for file in family.files})
        folder = cache_folder("fonts") / source.partition(":")[2].replace("/", "-")
        if all((folder / file).is_file() for file in wanted):
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            whole = Path(scratch) / "whole"
            whole.mkdir()
            (_npm if source.startswith("npm:") else _debian)(source.partition(":")[2], whole)
            _keep(whole, Path(scratch) / "kept", wanted, source)
            shutil.rmtree(folder, ignore_errors=True)
            (Path(scratch) / "kept").replace(folder)
        fetched.append(source)
    return fetched


def _keep(whole: Path, kept: Path, wanted: Sequence[str], source: str) -> None:
    """Move the wanted files, and nothing else of a package, to where they are kept."""
    for file in wanted:
        if not (whole / file).is_file():
            raise StageError(f"{source} has no {file}", "its version is not the one that the catalogue was made with")
        (kept / file).parent.mkdir(parents=True, exist_ok=True)
        (whole / file).replace(kept / file)


def _npm(package: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise StageError("npm is missing, which fetches fonts", "apt-get install npm, or brew install node")
    _run([npm, "pack", "--silent", package], folder)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    for path in (folder / "package").iterdir():
        path.replace(folder / path.name)


def _debian(package: str, folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise StageError(
            f"the Debian package {package} cannot be fetched without apt-get and dpkg-deb",
            'unpack it by hand, and name the folder in the catalogue as `source = "folder:..."`',
        )
    # As another user apt could not write here, and says so at length.
    _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], folder)
    _run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), "."], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-300:]
        raise StageError(f"{' '.join(command)} failed: {said}", "check the network and the registry's address")


if __name__ == "__main__":
    try:
        for name in fetch(catalog.families()):
            print(f"fetched {name}")
        print(f"fonts in {cache_folder('fonts')}")
    except StageError as error:
        sys.exit(f"error: {error}")
