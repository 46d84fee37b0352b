"""Configuration files: what is refused, how it is named, and what `--set` and variables reach."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.config import Config, apply_overrides, build, expand_variables, load, parse_size, read_yaml
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
    ],
)
def test_an_override_that_reaches_nothing_is_refused(override, words):
    with pytest.raises(ManifestError) as raised:
        apply_overrides({"name": "x", "filters": [{"name": "clarity"}]}, [override])
    for word in words:
        assert word in str(raised.value)


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


@pytest.mark.parametrize("text", ["many", "12 parsecs", "MB", "-5MB", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)
