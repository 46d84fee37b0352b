"""What `dataengine fonts` shows: which families are here, and how well they cover each language."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from dataengine.errors import StageError
from fonts import catalog
from fonts.catalog import Family
from fonts.coverage import uncovered
from fonts.exemplars import letters


@dataclass(frozen=True)
class Entry:
    """A family as it is found: why it cannot be used (empty if it can), and what it lacks of each of its languages."""

    family: Family
    fault: str
    lacking: dict[str, str]

    def share(self, language: str) -> float:
        """How much of a language's letters it has, 0 to 1."""
        return 1 - len(self.lacking[language]) / len(letters(language))


def inspect(families: Sequence[Family]) -> list[Entry]:
    return [_inspect(family) for family in families]


def _inspect(family: Family) -> Entry:
    try:
        family.paths()
        lacking = {
            language: "".join(uncovered(family, "".join(sorted(letters(language))))) for language in family.languages
        }
    except StageError as error:
        return Entry(family, str(error).splitlines()[0], {})
    return Entry(family, "", lacking)


def show(language: str | None, missing: bool, as_json: bool, console: Console) -> bool:
    """Print the catalogue, or the families of one language; whether everything printed is installed."""
    wanted = catalog.for_language(language) if language else catalog.families()
    entries = inspect(wanted)
    listed = [e for e in entries if e.fault] if missing else entries
    if as_json:
        console.print_json(json.dumps([_facts(entry) for entry in listed], ensure_ascii=False))
    else:
        _print(listed, console)
        if not missing:
            languages = [language] if language else sorted({x for family in wanted for x in family.languages})
            _print_languages(entries, languages, console)
    return not any(entry.fault for entry in entries)


def _facts(entry: Entry) -> dict:
    family = entry.family
    return {
        "name": family.name,
        "style": family.style,
        "source": family.source,
        "licence": family.licence,
        "weights": list(family.weights),
        "widths": list(family.widths),
        "installed": not entry.fault,
        "fault": entry.fault or None,
        "coverage": {x: {"share": round(entry.share(x), 4), "lacking": t[:40]} for x, t in entry.lacking.items()},
    }


def _print(entries: Sequence[Entry], console: Console) -> None:
    table = Table("family", "style", "weights", "licence", "source", "languages", box=None, pad_edge=False)
    for entry in entries:
        family = entry.family
        weights = f"{family.weights[0]}–{family.weights[-1]}" if len(family.weights) > 2 else _joined(family.weights)
        covered = " ".join(_share(entry, language) for language in family.languages if not entry.fault)
        languages = f"[red]{entry.fault}[/]" if entry.fault else covered
        table.add_row(family.name, family.style, weights, family.licence, family.source, languages)
    console.print(table)


def _share(entry: Entry, language: str) -> str:
    share = entry.share(language)
    return language if share == 1 else f"{language} [yellow]{share:.1%}[/]"


def _joined(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _print_languages(entries: Sequence[Entry], languages: Sequence[str], console: Console) -> None:
    table = Table("language", "families", "styles", box=None, pad_edge=False, header_style="bold")
    for language in languages:
        own = [e.family for e in entries if not e.fault and language in e.family.languages]
        styles = dict.fromkeys(family.style for family in own)
        table.add_row(language, str(len(own)), ", ".join(styles))
    console.print()
    console.print(table)
