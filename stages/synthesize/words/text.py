"""One language of a corpus."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """Headings and paragraphs, in order. `foreign` counts paragraphs left out since they are in another language."""

    headings: tuple[str, ...]
    paragraphs: tuple[str, ...]
    foreign: int = 0
