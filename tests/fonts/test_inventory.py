import io
import json
from dataclasses import replace

from rich.console import Console

from fonts import catalog, inventory
from fonts.catalog import Family


def family(name: str) -> Family:
    return next(f for f in catalog.families() if f.name == name)


def shown(language: str | None = None, missing: bool = False, as_json: bool = False) -> tuple[bool, str]:
    out = io.StringIO()
    whole = inventory.show(language, missing, as_json, Console(file=out, width=200))
    return whole, out.getvalue()


def test_the_families_of_a_language_are_listed_with_their_styles():
    whole, text = shown("zh-Hant")
    assert whole
    assert "Noto Sans CJK TC" in text and "Noto Sans Thai" not in text
    assert "KouzanBrushFont" in text and "zh-Hant 97." in text
    assert "sans-serif, serif, kai, brush" in text


def test_json_has_what_each_family_lacks():
    _, text = shown("zh-Hant", as_json=True)
    entries = {e["name"]: e for e in json.loads(text)}
    assert entries["Noto Sans CJK TC"]["coverage"]["zh-Hant"] == {"share": 1.0, "lacking": ""}
    assert entries["KouzanBrushFont"]["coverage"]["zh-Hant"]["lacking"]
    assert entries["LXGW WenKai"]["source"].startswith("deb:") and entries["LXGW WenKai"]["installed"]


def test_what_is_not_installed_is_told_and_the_rest_is_not(monkeypatch):
    lost = replace(family("Lora"), name="Lost", source="npm:@fonts/lost@1.0.0")
    two = (family("Noto Sans"), lost)
    monkeypatch.setattr(catalog, "families", lambda: two)
    whole, text = shown(missing=True)
    assert not whole
    assert "Lost" in text and "is missing" in text and "Noto Sans" not in text
