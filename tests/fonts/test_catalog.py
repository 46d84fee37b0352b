import pytest

from dataengine.errors import StageError
from fonts import catalog
from fonts.catalog import Family

LANGUAGES = ("en", "ru", "zh-Hans", "zh-Hant", "ja", "ko", "ar", "hi", "th")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_at_least_two_families_in_two_styles(language: str):
    families = catalog.for_language(language)
    assert len(families) >= 2
    assert len({family.style for family in families}) >= 2


@pytest.mark.parametrize("family", catalog.families(), ids=lambda f: f.name)
def test_every_family_is_installed_and_may_be_embedded(family: Family):
    assert all(path.is_file() for path in family.paths())
    assert family.licence == "OFL-1.1"
    assert family.weights and family.style in ("sans-serif", "serif", "handwritten")


def test_a_language_that_no_family_writes_is_named_with_those_that_are():
    with pytest.raises(StageError, match="no font of the catalogue writes 'tlh'") as caught:
        catalog.for_language("tlh")
    assert "zh-Hans" in caught.value.remedy


def test_a_family_that_is_not_installed_names_its_package():
    absent = Family("Nowhere Sans", "fontpkg-nowhere-sans", ("x.ttf",), ("en",), (400,), "serif", "OFL-1.1")
    with pytest.raises(StageError, match="Nowhere Sans is missing") as caught:
        absent.paths()
    assert caught.value.remedy == "pip install fontpkg-nowhere-sans"


def test_a_package_without_the_file_names_the_file():
    absent = Family("Lora", "fontpkg-lora", ("fontpkg_lora/files/Lost.ttf",), ("en",), (400,), "serif", "OFL-1.1")
    with pytest.raises(StageError, match=r"has no Lost\.ttf"):
        absent.paths()
