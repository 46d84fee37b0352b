"""Configuration files: what is refused, how it is named, and what `--set` and variables reach."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import model_validator

from dataengine.config import (
    HOW,
    Config,
    Size,
    apply_overrides,
    build,
    expand_variables,
    load,
    parse_size,
    read_yaml,
    what,
)
from dataengine.errors import ManifestError


class Leaf(Config):
    weight: float = 1.0
    colour: str = "red"


class Tree(Config):
    name: str
    leaves: list[Leaf] = []
    crown: Leaf | None = None
    by_name: dict[str, Leaf] = {}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"nam": "x"}, ["nam: unknown key", "did you mean 'name'", "name: this key is required"]),
        ({"name": "x", "leaves": [{}, {"wieght": 2}]}, ["leaves.1.wieght", "did you mean 'weight'"]),
        ({"name": "x", "crown": {"color": "red"}}, ["crown.color", "did you mean 'colour'"]),
        ({"name": "x", "by_name": {"a": {"colr": "red"}}}, ["by_name.a.colr", "did you mean 'colour'"]),
        ({"name": "x", "crown": {"weight": "heavy"}}, ["crown.weight", "heavy"]),
        ({"name": "x", "crown": {"zzz": 1}}, ["crown.zzz", "known: colour, weight"]),
    ],
)
def test_each_bad_key_is_named_with_its_path_and_what_was_meant(data, words):
    with pytest.raises(ManifestError) as raised:
        build(Tree, data, "tree.yaml")
    for word in ["tree.yaml", *words]:
        assert word in str(raised.value)


class Engine(Config):
    fuel: str = "wood"
    threads: Annotated[int, HOW] = 1
    remote: Leaf | None = None


class Machine(Config):
    engine: Engine = Engine()
    address: Annotated[str, HOW] = "here"


def test_how_something_is_computed_is_no_part_of_what_it_is():
    plain, elsewhere = Machine(), Machine(engine=Engine(threads=8), address="there")
    assert what(plain) == what(elsewhere) == {"engine": {"fuel": "wood", "remote": None}}
    assert what(Machine(engine=Engine(fuel="coal", remote=Leaf()))) == {
        "engine": {"fuel": "coal", "remote": {"weight": 1.0, "colour": "red"}}
    }


def test_models_cannot_be_changed_after_they_were_checked():
    with pytest.raises(Exception, match="frozen"):
        Leaf().weight = 2


def test_overrides_reach_nested_keys_and_list_entries_by_name_stage_index_and_short_form():
    data = {
        "pack": {},
        "measure": ["pixels", {"stage": "ocr"}],
        "filters": [{"name": "clarity", "keep": "clarity >= 4"}],
    }
    overrides = [
        "pack.size=64MB",
        "measure.pixels.batch=3",
        "measure.ocr.a.b=true",
        "filters.clarity.keep=clarity >= 5",
    ]
    apply_overrides(data, [*overrides, "measure.1.limit=[1, 2]", "new.section.key=x"])
    assert data == {
        "pack": {"size": "64MB"},
        "measure": [{"stage": "pixels", "batch": 3}, {"stage": "ocr", "a": {"b": True}, "limit": [1, 2]}],
        "filters": [{"name": "clarity", "keep": "clarity >= 5"}],
        "new": {"section": {"key": "x"}},
    }


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("filters.clarty.keep=1", ["no entry 'clarty'", "clarity"]),
        ("name.deep=1", ["holds no keys"]),
        ("nothing", ["key=value"]),
        ("=5", ["key=value"]),
        ("filters.²=5", ["no entry '²'"]),
        ("filters.1=5", ["no entry '1'"]),
    ],
)
def test_an_override_that_reaches_nothing_is_refused(override, words):
    with pytest.raises(ManifestError) as raised:
        apply_overrides({"name": "x", "filters": [{"name": "clarity"}]}, [override])
    for word in words:
        assert word in str(raised.value)


def test_an_override_may_be_any_text_and_empties_a_key_without_a_value():
    overrides = ["a=clarity >= 4", "b={not yaml", "c=", "d=2024-99-99", "e=a=b", "pack.f=1"]
    data = apply_overrides({"pack": None}, overrides)
    wanted = {"a": "clarity >= 4", "b": "{not yaml", "c": None, "d": "2024-99-99", "e": "a=b", "pack": {"f": 1}}
    assert data == wanted


def test_variables_come_from_the_run_and_the_environment_and_an_unset_one_is_named(monkeypatch):
    monkeypatch.setenv("PHOTOS", "/data/photos")
    data = {"a": ["${PHOTOS}/x", 3], "b": {"c": "${RUN}/shards"}}
    assert expand_variables(data, {"RUN": "/run"}) == {"a": ["/data/photos/x", 3], "b": {"c": "/run/shards"}}
    with pytest.raises(ManifestError, match=r"b\.c: the variable NOT_SET_ANYWHERE"):
        expand_variables({"b": {"c": "${NOT_SET_ANYWHERE}"}}, {})


def test_a_file_that_is_no_mapping_or_no_yaml_or_missing_is_named_with_its_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("a: 1\nb: [1, 2\nc: 3\n")
    with pytest.raises(ManifestError, match=r"bad\.yaml:3"):
        read_yaml(path)
    path.write_text("name: 2024-99-99\n")
    with pytest.raises(ManifestError, match="not valid YAML"):
        read_yaml(path)
    path.write_text("a: !!python/object:os.system {}\n")
    with pytest.raises(ManifestError, match=r"bad\.yaml:1"):
        read_yaml(path)
    path.write_text("")
    with pytest.raises(ManifestError, match="must hold a mapping"):
        read_yaml(path)
    with pytest.raises(ManifestError, match="cannot be read"):
        read_yaml(tmp_path)
    path.write_text("- a\n- b\n")
    with pytest.raises(ManifestError, match="must hold a mapping"):
        read_yaml(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="cannot be read"):
        read_yaml(path)
    with pytest.raises(ManifestError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")


def test_loading_overrides_expands_and_checks_in_this_order(tmp_path):
    path = tmp_path / "tree.yaml"
    path.write_text("name: ${RUN}\ncrown: {weight: 2}\n")
    tree = load(Tree, path, ["crown.colour=${RUN}"], {"RUN": "oak"})
    assert (tree.name, tree.crown.colour, tree.crown.weight) == ("oak", "oak", 2)


@given(st.integers(0, 10**6), st.sampled_from(["", "B", "K", "KB", "KiB", "MB", "MiB", "g", "gib", "TB"]))
def test_sizes_are_powers_of_a_thousand_and_with_i_of_1024(number, unit):
    power = "KMGT".index(unit[0].upper()) + 1 if unit and unit[0].upper() in "KMGT" else 0
    assert parse_size(f"{number}{unit}") == number * (1024 if "i" in unit.lower() else 1000) ** power


def test_a_size_may_have_a_fraction_and_spaces():
    assert parse_size(" 1.5 GiB ") == 3 << 29
    assert parse_size("0.5kb") == 500
    assert parse_size(7) == 7


@pytest.mark.parametrize(
    "value", ["many", "12 parsecs", "MB", "-5MB", "", "1.2.3MB", ".MB", "12i", "١٢", 1.5, True, None]
)
def test_what_is_no_size_is_refused(value):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(value)


class Shelf(Config):
    width: Size = 1


@pytest.mark.parametrize("width", [1.5, None, [], True, "wide", -1, 0])
def test_a_size_of_the_wrong_kind_is_named_like_any_other_bad_value(width):
    with pytest.raises(ManifestError, match=r"(?s)shelf\.yaml.*width: "):
        build(Shelf, {"width": width}, "shelf.yaml")


class Pair(Config):
    low: int = 0
    high: int = 1

    @model_validator(mode="after")
    def _rises(self) -> "Pair":
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


def test_what_is_wrong_between_keys_is_said_of_the_whole():
    with pytest.raises(ManifestError, match="as a whole: low must be below high"):
        build(Pair, {"low": 2}, "pair.yaml")


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=8), max_size=4))
def test_no_mapping_whatever_is_more_than_a_message(data):
    try:
        build(Tree, data, "tree.yaml")
    except ManifestError as error:
        assert "tree.yaml" in error.message
