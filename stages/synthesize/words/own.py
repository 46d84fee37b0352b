"""A user's own corpora: a folder with a text file a language, or a table with a column of paragraphs."""

import re
from pathlib import Path

import duckdb

from dataengine.errors import StageError
from stages.synthesize.words.languages import belongs
from stages.synthesize.words.text import Text

TABLES = (".parquet", ".jsonl", ".ndjson", ".json", ".csv")


def is_table(corpus: str) -> bool:
    return corpus.partition("#")[0].endswith(TABLES)


def languages(corpus: str) -> list[str]:
    """The languages that a corpus has text in, as it names them."""
    if not is_table(corpus):
        return sorted(path.stem for path in Path(corpus).glob("*.txt"))
    path, _, language = _columns(corpus)
    return [row[0] for row in _read(corpus, f'select distinct "{language}"::varchar from {_quoted(path)} order by 1')]


def files(corpus: str) -> list[Path]:
    """The files that a corpus is read from, in order."""
    if is_table(corpus):
        return [
            Path(row[0]) for row in _read(corpus, f"select file from glob({_quoted(_columns(corpus)[0])}) order by 1")
        ]
    return sorted(Path(corpus).glob("*.txt"))


def load(corpus: str, language: str) -> Text:
    """The paragraphs of a corpus in a language; those in another are left out. Raises StageError when there is none."""
    found = _table(corpus, language) if is_table(corpus) else _file(Path(corpus), language)
    paragraphs = [" ".join(p.split()) for p in found]
    paragraphs = [p for p in dict.fromkeys(paragraphs) if p]
    kept = tuple(p for p in paragraphs if belongs(p, language))
    if not kept:
        what = f"all {len(paragraphs)} paragraphs are in another language" if paragraphs else "it is empty"
        where = corpus if is_table(corpus) else f"{corpus}/{language}.txt"
        raise StageError(f"corpus {where}: nothing in {language!r}: {what}", "put paragraphs in that language there")
    return Text((), kept, len(paragraphs) - len(kept))


def _file(folder: Path, language: str) -> list[str]:
    path = folder / f"{language}.txt"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"corpus {folder}: {path.name} cannot be read: {error}", "put UTF-8 text there") from None
    return re.split(r"\n\s*\n", text)


def _table(corpus: str, language: str) -> list[str]:
    path, text, column = _columns(corpus)
    sql = f'select "{text}"::varchar from {_quoted(path)} where "{column}"::varchar = $1 and "{text}" is not null'
    return [row[0] for row in _read(corpus, sql, language)]


def _columns(corpus: str) -> tuple[str, str, str]:
    """Path, text column and language column of `path`, or of `path#text,language`."""
    path, _, names = corpus.partition("#")
    text, _, language = names.partition(",")
    return path, text or "text", language or "language"


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"


def _read(corpus: str, sql: str, *values: str) -> list[tuple]:
    """Rows in the order of the file. Raises StageError that names file and column."""
    with duckdb.connect() as db:
        db.execute("set threads = 1")  # the order of rows is the file's
        try:
            return db.execute(sql, list(values)).fetchall()
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            remedy = "give `path#text_column,language_column` where they are not called `text` and `language`"
            raise StageError(f"corpus {corpus}: {said}", remedy) from None
