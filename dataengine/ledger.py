"""What is written down of a stage's work: its entry in run.json, events in the log, and a line for people."""

from collections.abc import Sequence

from dataengine.progress import Reporter
from dataengine.run import State
from dataengine.work import Done


class Ledger:
    """The entries of a run's stages."""

    def __init__(self, state: State, reporter: Reporter) -> None:
        self.state, self.reporter = state, reporter

    def begin(self, label: str, mark: str, parts: int) -> None:
        """A stage begins. Its times go on from before when it is the same work, which was interrupted."""
        before = self.state.get(label)
        fresh = {"seconds": 0.0, "busy_seconds": 0.0, "images": 0} if before.get("fingerprint") != mark else {}
        self.state.set(label, state="running", fingerprint=mark, parts=parts, **fresh)
        self.reporter.event("stage", stage=label, parts=parts)

    def end(self, label: str, outputs: Sequence[Done], made: int, elapsed: float, busy: float, images: float) -> None:
        """A stage has all its outputs, of which `made` were made just now, of so many images, in so many seconds."""
        before = self.state.get(label)
        rows, failures = sum(d.rows for d in outputs), sum(d.failures for d in outputs)
        self.state.set(
            label,
            state="done",
            rows=rows,
            failures=failures,
            made=made,
            seconds=round(before.get("seconds", 0) + (elapsed if made else 0), 3),
            busy_seconds=round(before.get("busy_seconds", 0) + busy, 3),
            images=before.get("images", 0) + int(images),
        )
        self.reporter.event(
            "stage_done", stage=label, rows=rows, failures=failures, made=made, seconds=round(elapsed, 3)
        )
        stood = len(outputs) - made
        detail = f"{rows:,} rows" + (f", {failures:,} failures" if failures else "")
        parts = f"{made} part{'s' * (made != 1)} made" + (f", {stood} stood" if stood else "")
        rate = f", {images / elapsed:,.1f}/s" if made and elapsed > 0 and images else ""
        self.reporter.say(f"[bold]{label:<22}[/] {detail} [dim]({parts}{rate}, {elapsed:.1f} s)[/]")
