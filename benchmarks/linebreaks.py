"""Where our lines break, beside where Chromium breaks them: same text, font, size and width.

    python benchmarks/linebreaks.py [paragraphs a language] [language ...]

Chromium lays text out by HarfBuzz and ICU, we by HarfBuzz and Pango: two independent judges of where a line may end and
of how wide it is. They part where dictionaries differ (Thai), and where we keep together what a browser does not (a
danda and its sentence). Also compared is the order of the characters on each line, from left to right. Needs `chromium`
on the path; families in font collections are left out, since a web page cannot name a face of one.
"""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataengine.errors import SampleError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize.typeset import Page, Style, Typesetter
from stages.synthesize.words.supply import Supply

SIZE, WIDTH = 20, 500  # pixels
RIGHT_TO_LEFT = ("ar", "fa", "he")
READ = """
addEventListener("load", async () => {
  for (const font of document.fonts) await font.load();
  const read = (paragraph) => {
    const text = paragraph.firstChild.data, range = document.createRange(), lines = [];
    let top = null;
    for (let i = 0; i < text.length; i++) {
      range.setStart(paragraph.firstChild, i);
      range.setEnd(paragraph.firstChild, i + 1);
      const boxes = range.getClientRects(), box = boxes[boxes.length - 1];
      if (!box || !box.width) { if (lines.length) lines.at(-1).push([text[i], null]); continue; }
      if (top === null || Math.abs(box.top - top) > 8) { lines.push([]); top = box.top; }
      lines.at(-1).push([text[i], box.left]);
    }
    return lines;
  };
  const found = [...document.querySelectorAll("p")].map(read);
  document.body.innerHTML = "";
  document.body.textContent = "READ" + JSON.stringify(found) + "READ";
});
"""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph that was set: its lines, and the order of each line's words from left to right."""

    language: str
    text: str
    font: Path
    weight: int
    lines: tuple[str, ...]
    order: tuple[str, ...]


def ours(language: str, count: int) -> list[Paragraph]:
    families = [f for f in catalog.for_language(language) if all(p.suffix != ".ttc" for p in f.paths())]
    setter = Typesetter(families)
    found: list[Paragraph] = []
    for index in range(count):
        rng = generator("linebreaks", 0, index)
        family = families[index % len(families)]
        weight = min(family.weights, key=lambda w: abs(w - 400))
        file = min(family.paths(), key=lambda path: ("bold" in path.name.lower(), path.name))
        text = Supply("udhr", language, rng).passage(120, 260)
        try:
            setting = setter.fit(text, language, Style(family, weight), WIDTH, 4000, SIZE, SIZE)
            geometry = setter.draw(Page(np.full((4000, 700, 3), 255, np.uint8)), setting, 100, 40, (0, 0, 0))
        except SampleError as error:
            print(f"{language}: {error}")
            continue
        order = _order(geometry.lines.quads, geometry.characters.texts, geometry.characters.quads)
        found.append(Paragraph(language, setting.text, file, weight, tuple(map(_plain, geometry.lines.texts)), order))
    return found


def _order(lines: np.ndarray, texts: Sequence[str], quads: np.ndarray) -> tuple[str, ...]:
    """The characters of each line from left to right."""
    middle = quads.reshape(-1, 4, 2).mean(axis=1)
    tops, bottoms = lines[:, 1::2].min(axis=1), lines[:, 1::2].max(axis=1)
    centre = (tops + bottoms) / 2
    line = np.abs(middle[:, 1:2] - centre[None]).argmin(axis=1)
    return tuple(
        _plain("".join(texts[i] for i in sorted(np.flatnonzero(line == n), key=lambda i: middle[i, 0])))
        for n in range(len(lines))
    )


def theirs(paragraphs: Sequence[Paragraph]) -> list[list[list[tuple[str, float | None]]]]:
    """Each paragraph's lines as (character, left edge) in the order of the text, as Chromium lays them out."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("error: chromium is not on the path\n  → apt-get install chromium")
    faces = "".join(
        f"@font-face{{font-family:f{n};font-weight:100 900;src:url('{p.font.as_uri()}')}}"
        for n, p in enumerate(paragraphs)
    )
    body = "".join(
        f'<p lang="{p.language}" dir="{"rtl" if p.language in RIGHT_TO_LEFT else "ltr"}" style="font:{p.weight} '
        f'{SIZE}px f{n};word-break:{"keep-all" if p.language == "ko" else "normal"}">{html.escape(p.text)}</p>'
        for n, p in enumerate(paragraphs)
    )
    style = f"p{{width:{WIDTH}px;line-height:2;font-synthesis:none;text-rendering:geometricPrecision}}{faces}"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(f"<meta charset=utf-8><style>{style}</style>{body}<script>{READ}</script>", encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
        done = subprocess.run(
            [browser, *flags, "--virtual-time-budget=60000", page.as_uri()], capture_output=True, text=True, check=True
        )
    return json.loads(html.unescape(done.stdout.split("READ")[1]))


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text)


def main(count: int, languages: Sequence[str]) -> None:
    paragraphs = [p for language in languages for p in ours(language, count)]
    found = theirs(paragraphs)
    print(f"{'language':<10}{'paragraphs':>11}{'same lines':>12}{'same order':>12}")
    parted = []
    for language in languages:
        pairs = [(p, lines) for p, lines in zip(paragraphs, found, strict=True) if p.language == language]
        alike = ordered = 0
        for paragraph, lines in pairs:
            other = tuple(_plain("".join(c for c, _ in line)) for line in lines)
            if other == paragraph.lines:
                alike += 1
                order = tuple(
                    _plain("".join(c for c, x in sorted((i for i in line if i[1] is not None), key=lambda i: i[1])))
                    for line in lines
                )
                # Browsers part clusters that fonts draw as one: compared are the letters of each end of a line.
                ends = [(a[:1], a[-1:]) == (b[:1], b[-1:]) for a, b in zip(order, paragraph.order, strict=True)]
                ordered += all(ends)
            else:
                place = next(i for i, (a, b) in enumerate(zip(paragraph.lines, other, strict=False)) if a != b)
                parted.append(
                    f"  {language} {paragraph.font.name}: …{paragraph.lines[place][-24:]} | …{other[place][-24:]}"
                )
        print(f"{language:<10}{len(pairs):>11}{alike:>12}{ordered:>12}")
    print("Ours | theirs, where they part:", *parted, sep="\n")


if __name__ == "__main__":
    known = sorted({language for family in catalog.families() for language in family.languages})
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:] or known)
