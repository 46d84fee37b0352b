"""What a model is asked to draw, and what should then be read in the picture.

From JSON Lines, in the manner of ChineseWord, CVTG-2K and LongText-Bench: an object a line with `prompt`, `texts` (a
list, or one), and where it is known `language` and `tier`. Or from Parquet that has pictures with annotated text, as
`dataengine synth` writes it: the caption is the prompt, and the picture itself is what the reader is judged by.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine.errors import ManifestError


@dataclass(frozen=True)
class Prompt:
    """A prompt and its texts. `picture` is an encoded one that shows them."""

    prompt: str
    texts: tuple[str, ...]
    language: str | None = None
    tier: str | None = None
    picture: bytes | None = None


def read(path: Path, caption: str = "caption", limit: int | None = None) -> list[Prompt]:
    """The prompts of a file of JSON Lines, or of a Parquet file or folder. Raises ManifestError that names the line or
    the column at fault."""
    found: list[Prompt] = []
    prompts = _lines(path) if path.suffix in (".jsonl", ".json", ".ndjson") else _rows(path, caption)
    for prompt in prompts:
        found.append(prompt)
        if len(found) == limit:
            break
    if not found:
        raise ManifestError(f"{path}: no prompts there", "give JSON Lines with `prompt` and `texts`, or Parquet")
    return found


def _lines(path: Path) -> Iterator[Prompt]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}", "give a file of JSON Lines") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _prompt(line, f"{path}, line {number}")


def _prompt(line: str, where: str) -> Prompt:
    try:
        given: Any = json.loads(line)
        texts = [given["texts"]] if isinstance(given["texts"], str) else list(given["texts"])
        prompt = given["prompt"]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{where}: {'no ' if isinstance(error, KeyError) else ''}{error}"
        raise ManifestError(message, 'write {"prompt": "…", "texts": ["…"]}, one a line') from None
    if not isinstance(prompt, str) or not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ManifestError(f"{where}: `prompt` must be a text and `texts` texts that are not empty", "mend the line")
    language, tier = (None if given.get(key) is None else str(given[key]) for key in ("language", "tier"))
    return Prompt(prompt, tuple(texts), language, tier)


def _rows(path: Path, caption: str) -> Iterator[Prompt]:
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    for file in files:
        try:
            parquet = pq.ParquetFile(file)
            if lacking := [c for c in ("image", "text", caption) if c not in parquet.schema_arrow.names]:
                if path.is_dir():
                    continue  # an index, signals: what else a run's folder holds
                message = f"{file}: no column {lacking[0]!r}"
                raise ManifestError(message, "give samples or shards with annotated text, as `dataengine synth` makes")
            for batch in parquet.iter_batches(256, columns=["image.bytes", "text", "language", caption]):
                rows = map(_of_row, *(batch[name].to_pylist() for name in ("image", "text", "language", caption)))
                yield from (prompt for prompt in rows if prompt.texts)
        except (OSError, pa.ArrowException) as error:
            raise ManifestError(f"{file}: cannot be read: {error}", "write it again, or leave it out") from None


def _of_row(image: dict[str, bytes], text: list[dict[str, Any]], language: str | None, caption: str | None) -> Prompt:
    texts = tuple(paragraph["content"] for paragraph in sorted(text or [], key=lambda p: p["order"]))
    return Prompt(caption or "", texts, language, None, image["bytes"])
