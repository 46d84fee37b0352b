"""A picture of a text set, two pages a language:  python -m demo.contact_sheet RUN SHEET.jpg"""

import io
import sys
from pathlib import Path

from PIL import Image

from dataengine import catalog
from dataengine.run import Run

_CELL, _GAP, _COLUMNS = 300, 12, 6


def sheet(pages: list[bytes]) -> Image.Image:
    """The pages in rows of six, each within 300 × 300 pixels."""
    rows = -(-len(pages) // _COLUMNS)
    canvas = Image.new("RGB", (_COLUMNS * (_CELL + _GAP) + _GAP, rows * (_CELL + _GAP) + _GAP), (128, 128, 132))
    for number, encoded in enumerate(pages):
        page = Image.open(io.BytesIO(encoded))
        page.thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
        left, top = (_GAP + i * (_CELL + _GAP) for i in (number % _COLUMNS, number // _COLUMNS))
        canvas.paste(page, (left + (_CELL - page.width) // 2, top + (_CELL - page.height) // 2))
    return canvas


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    rows = catalog.connect(Run(sys.argv[1]).require()).execute(
        """select image.bytes from samples where len(text) > 0
            qualify row_number() over (partition by language order by md5(sample_id)) <= 2
            order by language, sample_id"""
    )
    Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)
    sheet([encoded for (encoded,) in rows.fetchall()]).save(sys.argv[2], quality=88)
