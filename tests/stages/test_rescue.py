"""Rescue: whom it keeps, how many, and that it says so."""

import pyarrow as pa
import pytest

from dataengine import catalog
from dataengine.errors import ManifestError
from stages.select import Params, Select

BLURRED = {"name": "clarity", "keep": "clarity >= 4"}
SMALL = {"name": "size", "keep": "width >= 300"}
CAPTIONS = ["a portrait", "a street", "Ein Porträt", "portrait of a dog", "a portrait", None]


@pytest.fixture
def measured(make_run):
    """Six samples; the last is sharp, the fifth too small."""
    embeddings = [[1.0, 0.1], [0.0, 1.0], [0.9, 0.2], None, [1.0, 0.0], [1.0, 0.0]]
    run = make_run(
        [{"caption": c, "width": 200 if i == 4 else 400, "category": "people" if i == 5 else None}
         for i, c in enumerate(CAPTIONS)],
        part=4,
        sharp={"clarity": [1.0, 2.0, 3.0, 3.5, 1.0, 9.0]},
        clip={"clip_embedding": pa.array(embeddings, pa.list_(pa.float16()))},
    )  # fmt: skip
    return catalog.connect(run)


def decisions(db, rescue: list[dict], phases: tuple[int, ...] = (256,), filters=(BLURRED, SMALL)) -> dict[tuple, dict]:
    stage = Select(0, Params(phases=list(phases), filters=list(filters), rescue=rescue))
    stage.check(db)
    return {(row["part"] * 4 + row["row"], row["phase"]): row for row in stage.rows(db).read_all().to_pylist()}


def kept(rows: dict[tuple, dict], phase: int = 256) -> list[int]:
    return [sample for (sample, p), row in rows.items() if p == phase and row["kept"]]


WORDS = {"name": "portraits", "overrule": ["clarity"], "where": "regexp_matches(caption, '(?i)portrait|porträt')"}


def test_keywords_bring_back_what_only_the_named_filters_dropped(measured):
    rows = decisions(measured, [{**WORDS, "most": 10}])
    assert kept(rows) == [0, 2, 3, 5]  # the fifth is too small as well
    assert rows[0, 256]["reason"] == "rescued by portraits from clarity"
    assert rows[0, 256]["dropped_by"] is None and rows[0, 256]["failed"] == ["clarity"]
    assert rows[4, 256]["dropped_by"] == "clarity"
    assert kept(decisions(measured, [{**WORDS, "overrule": ["clarity", "size"], "most": 10}])) == [0, 2, 3, 4, 5]


def test_no_more_than_asked_for_and_the_first_in_order(measured):
    assert kept(decisions(measured, [{**WORDS, "most": 2, "by": "clarity desc"}])) == [2, 3, 5]
    assert kept(decisions(measured, [{**WORDS, "most": 1}])) == [0, 5]


def test_where_the_embedding_could_not_be_had_likeness_rescues_nothing(make_run):
    empty = pa.array([None, None], pa.list_(pa.float16()))
    run = make_run([{}, {}], sharp={"clarity": [1.0, 9.0]}, clip={"clip_embedding": empty})
    alike = {"name": "alike", "overrule": ["clarity"], "like": "clarity > 5", "where": "likeness > 0", "most": 10}
    assert kept(decisions(catalog.connect(run), [{**alike, "by": "likeness desc nulls last"}], filters=[BLURRED])) == [
        1
    ]


def test_likeness_is_to_the_mean_of_what_like_selects(measured):
    alike = {"name": "faces", "overrule": ["clarity"], "like": "category = 'people'", "most": 10}
    assert kept(decisions(measured, [{**alike, "where": "likeness > 0.95"}])) == [0, 2, 5]
    assert kept(decisions(measured, [{**alike, "where": "likeness > 0", "most": 1, "by": "likeness desc"}])) == [0, 5]
    with pytest.raises(ManifestError, match=r"select\.rescue\.faces\.like.*selects no sample"):
        decisions(measured, [{**alike, "like": "category = 'nobody'", "where": "likeness > 0.9"}])


def test_a_rescue_applies_from_its_phase_on(measured):
    later = {**SMALL, "name": "later", "phase": 640, "keep": "width >= 500"}
    rows = decisions(measured, [{**WORDS, "most": 9, "phase": 640}], (256, 640), (BLURRED, SMALL, later))
    assert kept(rows) == [5] and kept(rows, 640) == []  # what `later` drops it may not overrule
    rows = decisions(measured, [{**WORDS, "most": 9, "phase": 640}], (256, 640))
    assert kept(rows) == [5] and kept(rows, 640) == [0, 2, 3, 5]


def test_whatif_and_why_know_of_it(measured):
    stage = Select(0, Params(filters=[BLURRED, SMALL], rescue=[{**WORDS, "most": 10}]))
    counted = stage.counts(measured, ["category"], [stage.moved({"clarity": "1.5"})]).to_pylist()
    assert sum(row["kept_256_0"] for row in counted) == 4
    assert sum(row["kept_256_1"] for row in counted) == 5  # the street too
    said = {r["filter"]: r["verdict"] for r in stage.explain(measured, "id0000").to_pylist()}
    assert said == {"clarity": "drop", "size": "keep", "portraits": "rescue"}


ALIKE = {"name": "faces", "overrule": ["clarity"], "like": "true", "where": "likeness > 0.9", "most": 1}


@pytest.mark.parametrize(
    ("rescue", "words"),
    [
        ({**WORDS, "overrule": ["claritty"], "most": 1}, "no filter is named 'claritty'.*did you mean 'clarity'"),
        ({**WORDS, "where": "captoin = 'x'", "most": 1}, r"select\.rescue\.portraits\.where.*captoin"),
        ({**WORDS, "where": "width", "most": 1}, r"select\.rescue\.portraits\.where: 'width' is a INTEGER"),
        ({**WORDS, "by": "sharpnes", "most": 1}, r"select\.rescue\.portraits\.by.*sharpnes"),
        ({**ALIKE, "embedding": "siglip_embedding"}, r"select\.rescue\.faces\.embedding.*siglip_embedding"),
        ({**ALIKE, "embedding": "caption"}, r"select\.rescue\.faces\.embedding.*VARCHAR"),
        ({**ALIKE, "like": "categroy = 'x'"}, r"select\.rescue\.faces\.like.*categroy"),
        ({**ALIKE, "like": None}, "`likeness` stands in `where` or `by`"),
        ({**ALIKE, "where": "true"}, "neither `where` nor `by` asks for `likeness`"),
        ({**WORDS, "name": "clarity", "most": 1}, "named clarity, or one is named as a filter"),
        ({**WORDS, "phase": 512, "most": 1}, "512 is not one of the phases"),
    ],
)
def test_what_cannot_be_is_named(measured, rescue, words):
    with pytest.raises((ManifestError, ValueError), match=words):
        decisions(measured, [rescue])
