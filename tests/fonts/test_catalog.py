from dataclasses import replace
from pathlib import Path

import pytest

from dataengine.errors import StageError
from fonts import catalog
from fonts.catalog import Family
from fonts.exemplars import LANGUAGES

WRITTEN = ("handwritten", "brush", "script", "kai")


def family(name: str) -> Family:
    return next(f for f in catalog.families() if f.name == name)


def absent(**changes: object) -> Family:
    entry = {
        "name": "Nowhere Sans",
        "style": "serif",
        "languages": ("en",),
        "weights": (400,),
        "licence": "OFL-1.1",
        "source": "pip:fontpkg-nowhere-sans",
        "files": ("x.ttf",),
        "digests": ("00",),
    }
    return Family(**{**entry, **changes})


def entry(**changes: str) -> str:
    lines = {
        "name": '"Lora"',
        "style": '"serif"',
        "languages": '["en"]',
        "weights": "[400]",
        "licence": '"OFL-1.1"',
        "source": '"pip:fontpkg-lora"',
        "files": '{"a.ttf" = "00"}',
        **changes,
    }
    return "[[family]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items() if value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_at_least_two_styles_and_chinese_four(language: str):
    styles = {family.style for family in catalog.for_language(language)}
    assert len(styles) >= (4 if language.startswith("zh") else 2)
    if language.startswith("zh"):
        assert {"sans-serif", "serif", "kai"} <= styles and styles & {"brush", "handwritten"}


@pytest.mark.parametrize("family", catalog.families(), ids=lambda f: f"{f.name}-{f.face}")
def test_every_family_is_installed_as_it_was_pinned_and_may_be_embedded(family: Family):
    assert all(path.is_file() for path in family.paths())
    assert [catalog.digest_of(path) for path in family.paths()] == list(family.digests)
    assert family.licence in catalog.LICENCES
    assert family.weights and list(family.weights) == sorted(set(family.weights))
    assert 100 in family.widths and set(family.languages) <= set(LANGUAGES)


def test_a_language_that_no_family_writes_is_named_with_those_that_are():
    with pytest.raises(StageError, match="no font of the catalogue writes 'tlh'") as caught:
        catalog.for_language("tlh")
    assert "zh-Hans" in caught.value.remedy


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("pip:fontpkg-nowhere-sans", "pip install fontpkg-nowhere-sans"),
        ("npm:@fonts/nowhere@1.0", "python -m fonts.fetch"),
        ("deb:fonts-nowhere", "python -m fonts.fetch"),
        ("folder:/nowhere", "put its files into /nowhere"),
    ],
)
def test_a_family_that_is_not_installed_says_how_to_get_it(source: str, remedy: str):
    with pytest.raises(StageError, match="Nowhere Sans is missing") as caught:
        absent(source=source).paths()
    assert caught.value.remedy == remedy


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(StageError, match=r"Lost\.ttf is not there"):
        replace(family("Lora"), files=("fontpkg_lora/files/Lost.ttf",)).paths()


def test_a_file_that_has_changed_is_refused(tmp_path: Path):
    (path,) = family("Lora").paths()
    (tmp_path / "Lora.ttf").write_bytes(path.read_bytes() + b"\0")
    own = replace(family("Lora"), source=f"folder:{tmp_path}", files=("Lora.ttf",))
    with pytest.raises(StageError, match=r"has changed: Lora\.ttf has the digest [0-9a-f]{32}, the catalogue says"):
        own.paths()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"licence": '"Proprietary"'}, "licence 'Proprietary' is not known to allow embedding"),
        ({"source": '"web:lora"'}, "source 'web:lora'"),
        ({"weigths": "[400]"}, "unknown key weigths; did you mean 'weights'"),
        ({"style": ""}, "style is missing"),
    ],
)
def test_an_entry_at_fault_is_named_with_its_key(tmp_path: Path, changes: dict[str, str], message: str):
    path = tmp_path / "mine.toml"
    path.write_text(entry(**changes), encoding="utf-8")
    with pytest.raises(StageError, match=message) as caught:
        catalog.load(path)
    assert "mine.toml" in str(caught.value)


def test_a_catalogue_of_ones_own_is_read(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(entry(widths="[75, 100]", face="2"), encoding="utf-8")
    (own,) = catalog.load(path)
    assert (own.name, own.files, own.digests, own.widths, own.face) == ("Lora", ("a.ttf",), ("00",), (75, 100), 2)


@pytest.mark.parametrize("text", ["[[family", "\0"])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StageError, match="not a font catalogue"):
        catalog.load(path)
