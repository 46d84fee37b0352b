"""What a person sees while a run works, and the structured log that stays: one line of JSON an event.

On a terminal each stage is a bar with its rate and time left; elsewhere (a log file, CI) it is a line every few
seconds with the same figures.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from dataengine.run import Run

_EVERY_SECONDS = 5.0


class RateColumn(ProgressColumn):
    """Units a second since the bar began."""

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0
        rate = task.completed / elapsed if elapsed > 0 else 0
        return Text(f"{rate:,.1f} {task.fields.get('unit', '')}/s", style="cyan")


class Bar:
    """One stage's progress. `advance` counts finished units; `note` shows a figure beside the rate."""

    def __init__(self, name: str, total: int, unit: str, console: Console, progress: Progress | None) -> None:
        self.name, self.total, self.unit = name, total, unit
        self._console, self._progress = console, progress
        self._task = progress.add_task(name, total=total, unit=unit, note="") if progress else None
        self._started = self._said = time.monotonic()
        self._count, self._note = 0, ""

    def advance(self, units: int, note: str = "") -> None:
        self._count += units
        self._note = note
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=units, note=note)
        elif time.monotonic() - self._said >= _EVERY_SECONDS:
            self._said = time.monotonic()
            self._console.print(self._line(), highlight=False, markup=False)

    def _line(self) -> str:
        elapsed = max(1e-9, time.monotonic() - self._started)
        rate = self._count / elapsed
        left = (self.total - self._count) / rate if rate else 0
        share = self._count / max(1, self.total)
        line = (
            f"  {self.name}: {self._count:,}/{self.total:,} ({share:.0%}), {rate:,.1f} {self.unit}/s, {left:.0f} s left"
        )
        return f"{line}, {self._note}" if self._note else line


class Reporter:
    """Shows stages on a console and writes their events to the run's `log.jsonl`."""

    def __init__(self, run: Run, console: Console) -> None:
        self.run, self.console = run, console
        self._lines: list[str] = []

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False)

    def event(self, name: str, **fields: Any) -> None:
        """Append one event to the log. On a filesystem without append the log is rewritten whole."""
        record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": name, **fields}
        line = json.dumps(record, ensure_ascii=False, default=str) + "\n"
        if self.run.local:
            with Path(self.run.path("log.jsonl")).open("a", encoding="utf-8") as file:
                file.write(line)
        else:
            if not self._lines and self.run.fs.exists(self.run.path("log.jsonl")):
                self._lines.append(self.run.fs.cat_file(self.run.path("log.jsonl")).decode())
            self._lines.append(line)
            self.run.write_text("log.jsonl", "".join(self._lines))

    @contextmanager
    def bar(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        if not self.console.is_terminal:
            yield Bar(name, total, unit, self.console, None)
            return
        columns = (
            TextColumn("  {task.description:<18}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield Bar(name, total, unit, self.console, progress)
