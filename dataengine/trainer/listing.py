"""Which files a dataset has, also while files are still being added to it.

Reading goes in *turns*. A dataset that stands has one listing, and each turn is an epoch over all of it. One that
grows is listed again at the end of each turn: when there are new files, the next turn reads those alone, so that a
consumer follows its producer; when there are none, the next turn is a new epoch over all that is known. Files are
numbered in the order in which they came to be known, so that a row keeps its place.

What a turn found is not a function of anything that could be computed again. So it is written down, one small file a
turn in a folder that all processes of a training see: the first to come to a turn lists, the others and any later
resumption read what it found.
"""

import json
import os
import re
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import fsspec
import fsspec.implementations.local

from dataengine.errors import ManifestError, RunError


class Folder:
    """What a path, a folder, a glob or a URL stands for, now or later. Files are named below `root`."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.filesystem, self._found = fsspec.core.url_to_fs(path)
        except (OSError, ImportError, ValueError) as error:  # the last two: a protocol not installed, or not known
            raise self._unlisted(error) from None
        self.local = isinstance(self.filesystem, fsspec.implementations.local.LocalFileSystem)
        fixed = re.split(r"[*?[]", self._found)[0]
        self._glob = fixed != self._found
        self.root = fixed[: fixed.rfind("/") + 1] if self._glob else f"{fixed.rstrip('/')}/"

    def files(self) -> list[str]:
        """The Parquet files that are there, sorted; empty when there are none."""
        self.filesystem.invalidate_cache()
        try:
            if self._glob:
                found = self.filesystem.glob(self._found, detail=True).items()
                files = [file for file, info in found if info["type"] == "file"]
            elif self.filesystem.isfile(self._found):
                self.root = f"{self._found.rsplit('/', 1)[0]}/"
                files = [self._found]
            else:
                files = [file for file in self.filesystem.find(self._found) if file.endswith(".parquet")]
        except (OSError, ValueError) as error:
            raise self._unlisted(error) from None
        return sorted(file.removeprefix(self.root) for file in files)

    def _unlisted(self, error: Exception) -> ManifestError:
        return ManifestError(f"{self.path}: cannot be listed: {error}", "check data.path and its permissions")


class Diary:
    """What each turn of a growing dataset found new, in `folder`; without one, for this process alone."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self.folder, self.name = folder, name
        self._told: dict[int, list[str]] = {}

    def found(self, turn: int, look: Callable[[], Sequence[str]]) -> list[str]:
        """The new files of a turn: as they are written down, or else what `look` finds, which is then written down."""
        if self.folder is None:
            if turn not in self._told:
                self._told[turn] = list(look())
            return self._told[turn]
        page = self.folder / f"{self.name}-{turn:06d}.json"
        if not page.exists():
            self._write(page, list(look()))
        return json.loads(page.read_text(encoding="utf-8"))

    def _write(self, page: Path, files: list[str]) -> None:
        """Write a page whole, unless another process was first."""
        draft = page.with_name(f".{page.name}-{uuid.uuid4().hex[:8]}")
        try:
            page.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(files), encoding="utf-8")
            os.link(draft, page)  # unlike a rename, it fails where there is a page already
        except FileExistsError:
            pass
        except OSError as error:
            message = f"{page}: cannot be written: {error}"
            raise RunError(message, "make room, or set `out` to a folder that can be written") from None
        finally:
            draft.unlink(missing_ok=True)
