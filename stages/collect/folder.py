"""Collect the files of a folder or a glob, local or on any filesystem that fsspec opens.

Every file that the pattern matches is an input: it becomes a sample or a failure. Hidden files, files in hidden
folders, caption files and what is no file (a pipe, a socket) are not inputs. Files are listed with their sizes, so
parts are cut exactly before any is read.
"""

import posixpath
import re
from collections.abc import Iterator
from functools import cached_property, partial

import fsspec

from dataengine.errors import ManifestError
from dataengine.sample import Failure, Sample
from dataengine.stage import GIB, Limits, Piece, Resources
from stages.collect.reading import ImageParams, read_file, read_sample


class Params(ImageParams):
    """`path` is a folder (searched at any depth) or a glob such as `s3://bucket/photos/**/*.jpg`."""

    path: str
    caption_suffix: str | None = None  # `.txt`: the caption of a.jpg stands in a.txt beside it


class Folder:
    """The source `folder`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=GIB)

    def __init__(self, name: str, seed: int, params: Params) -> None:
        self.name, self.params = name, params

    @cached_property
    def _fs(self) -> fsspec.AbstractFileSystem:
        return fsspec.core.url_to_fs(self.params.path)[0]

    def plan(self, limits: Limits) -> Iterator[Piece]:
        files: list[list] = []
        size = 0
        for path, stamp in self._files():
            if files and (len(files) >= limits.samples or size + stamp[0] > limits.bytes):
                yield Piece({"files": files}, len(files))
                files, size = [], 0
            files.append([path, *stamp])
            size += stamp[0]
        yield Piece({"files": files}, len(files))

    def _files(self) -> list[tuple[str, tuple[int, str]]]:
        """Paths with (size, time of change), in order of their paths."""
        where = f"collect.{self.name}.path: {self.params.path}"
        try:
            _, path = fsspec.core.url_to_fs(self.params.path)
            wildcard = re.search(r"[^/]*[*?[]", path)
            if self._fs.isdir(path):  # whatever its name
                base, found = path, self._fs.find(path, detail=True)
            elif wildcard:
                base, found = path[: wildcard.start()], self._fs.glob(path, detail=True)
            elif self._fs.exists(path):
                raise ManifestError(
                    f"{where}: a file, not a folder", "give its folder, or a glob; tables are `stage: table`"
                )
            else:
                raise ManifestError(f"{where}: no such folder", "check the path; relative paths start where you are")
        except (ImportError, OSError, ValueError) as error:
            raise ManifestError(
                f"{where}: cannot be listed: {error}", "check its permissions and credentials"
            ) from None
        files = {
            p: (
                int(info.get("size") or 0),
                str(info.get("mtime") or info.get("LastModified") or info.get("ETag") or ""),
            )
            for p, info in found.items()
            if (info["type"] == "file" or info.get("islink")) and not self._left_out(p.removeprefix(base))
        }
        if not files:
            problem = "nothing matches" if wildcard else "the folder is empty"
            raise ManifestError(f"{where}: {problem}", "put images there")
        return sorted(files.items())

    def _left_out(self, name: str) -> bool:
        hidden = any(step.startswith(".") for step in name.split("/"))
        suffix = self.params.caption_suffix
        return hidden or bool(suffix and name.endswith(suffix))

    def produce(self, piece: Piece) -> Iterator[Sample | Failure]:
        for path, *_ in piece.payload["files"]:
            yield read_sample(partial(self._read, path), source=self.name, uri=path, params=self.params)

    def _read(self, path: str) -> tuple[bytes, dict[str, str | None]]:
        return read_file(self._fs, path), {"caption": self._caption(path)}

    def _caption(self, path: str) -> str | None:
        if self.params.caption_suffix is None:
            return None
        try:
            text = self._fs.cat_file(posixpath.splitext(path)[0] + self.params.caption_suffix)
        except FileNotFoundError:
            return None
        return text.decode("utf-8", "replace").strip()
