"""Marks that may not begin a line, and marks that may not end one: a last look at lines that were broken by rule.

The sets are those of JIS X 4051 and CLREQ, without small kana and the prolonged sound mark, which looser setting lets
begin a line, and with the closing marks of other scripts.
"""

from collections.abc import Sequence
from itertools import pairwise

from dataengine.errors import SampleError

NOT_FIRST = frozenset("、。，．・：；？！’”）〕］｝〉》」』】〙〗,.!?;:)]}%‰°℃…‥؟،؛।॥ๆฯ")
NOT_LAST = frozenset("‘“（〔［｛〈《「『【〘〖([{¿¡")


def check(lines: Sequence[str]) -> None:
    """Raise SampleError when a line begins or ends with what may not stand there."""
    for above, below in pairwise(lines):
        if above[-1:] in NOT_LAST:
            raise SampleError(f"a line ends with {above[-1]}, which opens what follows")
        if below[:1] in NOT_FIRST:
            raise SampleError(f"a line begins with {below[0]}, which belongs to what it follows")
