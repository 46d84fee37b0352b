"""What a strategy hands back: the picture, its annotation, and the facts of the scene that captions are written from.

Names of things (a layout, a medium, a colour, a kind of writing, a place) are plain English phrases, such as `a book
page` or `navy blue`; captions in another language look their translation up by that phrase.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dataengine.sample import Paragraph

Role = Literal["heading", "body", "label"]


@dataclass(frozen=True)
class Said:
    """One text of a scene, verbatim, and how it looks. `place` is where in the picture, such as `at the top`;
    `language` is its own where that is not the scene's."""

    text: str
    role: Role
    ink: str
    writing: str
    place: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Scene:
    """What a picture shows. `kind` names its layout (pure), its medium (compositional) or its template (complex);
    `background` is the colour or material behind the text, `surroundings` what is around a medium, `details` are
    further facts, such as `soft light from the left`."""

    strategy: Literal["pure", "compositional", "complex"]
    kind: str
    language: str
    background: str
    texts: tuple[Said, ...]
    surroundings: str | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """A finished picture. pixels: uint8 (height, width, 3), RGB; the paragraphs' quadrilaterals are in its pixels."""

    pixels: np.ndarray
    paragraphs: tuple[Paragraph, ...]
    scene: Scene
    meta: Mapping[str, Any] = field(default_factory=dict)
