"""Watermarks, by what they say: an agency, an address, a copyright, or the same words all over the picture.

Reads the lines that OCR found, doubtful ones too: a watermark is faint on purpose.
"""

from collections import Counter
from collections.abc import Sequence

import regex

_MARKS = regex.compile(
    r"""
    (?:^|\W)(?:www\.|https?:)
    | [a-z0-9-]{3,}\.(?:com|net|org|cn|co|io|ru|jp|kr|de|fr|info|shop|store|photo|pics)(?:$|[^a-z])
    | shutter\s?stock|getty\s?images|i\s?stock|alamy|dreams?time|deposit\s?photos|123rf|adobe\s?stock|freepik|vectee?zy
    | big\s?stock|pond5|stocksy|pngtree|pixta|lovepik|eyeem|picfair|colourbox|featurepics|can\s?stock
    | 视觉中国|图虫|千图|包图|昵图|摄图|汇图|全景网|站酷|花瓣网|觅元素|千库|我图
    | ©|®|copyright|\(c\)\s*(?:\d|by)|all\s?rights|版权|版權|著作権|無断転載|저작권|©️
    | (?:^|\W)photos?\s(?:by|:)\s
    | ^\W*(?:[\p{L}\d.'’&-]+\s){1,3}photography$
    | (?:^|\s)@[\w.]{3,}
    | ^(?:preview|sample|watermark|proof|draft|demo|do\s?not\s?copy|comp(?:ing)?\s?image)$
    | 水印|样图|樣圖|微博|小红书|小紅書|抖音|微信|公众号|公眾號
    """,
    regex.X | regex.I,
)
_SHORTEST = 3  # letters and digits of a line whose repetition counts


def marks(lines: Sequence[str]) -> list[str]:
    """The lines that say whose the picture is or where it comes from."""
    return [line for line in lines if _MARKS.search(line.strip())]


def repeats(lines: Sequence[str]) -> int:
    """How often the most frequent line stands in the picture, case and spaces aside; 0 without lines.

    A piece of at least half of it counts too: marks are cut off at the picture's edges, and read in part.
    """
    folded = Counter("".join(c for c in line.lower() if c.isalnum()) for line in lines)
    known = {line: count for line, count in folded.items() if len(line) >= _SHORTEST}
    return max((sum(n for piece, n in known.items() if _piece(piece, line)) for line in known), default=0)


def _piece(piece: str, line: str) -> bool:
    return 2 * len(piece) >= len(line) and piece in line
