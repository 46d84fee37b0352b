"""The best of each class: which samples, by which number, and what is refused."""

import numpy as np
import pyarrow as pa
import pytest

from dataengine import catalog
from dataengine.errors import ManifestError
from stages.select import Params, Select

CATEGORIES = ["a"] * 10 + ["b"] * 3 + [None] * 2
SCORES = [*range(10), 50, 40, 30, None, 7]


@pytest.fixture
def measured(make_run):
    """Ten samples of class a with scores 0 to 9, three of class b, two of none, one of them without a score."""
    run = make_run(
        [{"width": 100 + i, "category": category} for i, category in enumerate(CATEGORIES)],
        part=4,
        looks={"score": pa.array(SCORES, pa.float32()), "word": ["x"] * 15},
    )
    return catalog.connect(run)


def selected(db, *filters: dict, phases: tuple[int, ...] = (256,)) -> Select:
    stage = Select(0, Params(phases=list(phases), filters=list(filters)))
    stage.check(db)
    return stage


def kept(db, stage: Select, phase: int = 256) -> list[int]:
    rows = stage.rows(db).read_all().to_pylist()
    return [row["part"] * 4 + row["row"] for row in rows if row["phase"] == phase and row["kept"]]


def best(**top: object) -> dict:
    return {"name": "best", "top": {"by": "score", **top}}


def test_the_best_share_of_all_stays(measured):
    stage = selected(measured, best(share=0.5))
    assert kept(measured, stage) == [7, 8, 9, 10, 11, 12, 14]  # seven of the fourteen that have one
    assert stage.resolved(measured).thresholds["best"].bound == "7.0::float"


def test_each_class_has_a_threshold_of_its_own(measured):
    stage = selected(measured, best(share=0.3, within="category"))
    assert kept(measured, stage) == [7, 8, 9, 10, 14]
    [reason] = {r["reason"] for r in stage.rows(measured).read_all().to_pylist() if r["row"] == 0 and r["part"] == 0}
    assert reason == "score = 0, category = a; keep: score >= 7.0"
    assert stage.notes() == {"thresholds": {"best": {"a": 7.0, "b": 50.0, "unknown": 7.0}}}


def test_the_threshold_is_found_among_what_the_other_filters_keep(measured):
    small = {"name": "small", "keep": "width < 105"}
    late = {**small, "name": "late", "phase": 640}
    assert kept(measured, selected(measured, small, best(share=0.4))) == [3, 4]
    stage = selected(measured, late, best(share=0.4), phases=(256, 640))
    assert stage.resolved(measured).thresholds["best"].numbers == {"": 7}  # `late` is no filter of phase 256


def test_lower_values_may_be_better_and_one_of_each_class_stays(measured):
    assert kept(measured, selected(measured, best(share=0.01, by="-score", within="category"))) == [0, 12, 14]


def test_equal_values_stay_together(make_run):
    db = catalog.connect(make_run([{}] * 4, looks={"score": np.array([2, 1, 1, 1], np.int32)}))
    assert kept(db, selected(db, best(share=0.5))) == [0, 1, 2, 3]


def test_samples_without_a_value_go_by_when_missing(measured):
    assert 13 not in kept(measured, selected(measured, best(share=1)))
    assert 13 in kept(measured, selected(measured, {**best(share=1), "when_missing": "keep"}))


def test_where_nothing_has_a_value_nothing_is_kept(make_run):
    db = catalog.connect(make_run([{}] * 2, looks={"score": pa.array([None, None], pa.float32())}))
    for within in (None, "category"):
        assert kept(db, selected(db, best(share=0.5, within=within))) == []


def test_decimals_are_compared_exactly(make_run):
    values = np.random.default_rng(0).random(101)
    for kind in (np.float32, np.float64):
        db = catalog.connect(make_run([{}] * 101, part=101, looks={"score": values.astype(kind)}))
        assert len(kept(db, selected(db, best(share=30 / 101)))) == 30


def test_whatif_moves_the_share(measured):
    stage = selected(measured, best(share=0.3, within="category"))
    assert stage.moved({"best": "0.5"}).params.filters[0].top.share == 0.5
    assert kept(measured, stage.moved({"best": "score > 8"})) == [9, 10, 11, 12]
    with pytest.raises(ManifestError, match="2 is no share"):
        stage.moved({"best": "2"})


def test_explain_shows_the_number(measured):
    found = selected(measured, best(share=0.5)).explain(measured, "id0003").to_pylist()
    assert [(row["keep"], row["verdict"]) for row in found] == [("score >= 7.0", "drop")]


def test_an_expression_may_end_with_a_comment(measured):
    stage = selected(measured, best(share=0.5, by="score -- as people see it", within="category -- its own"))
    assert kept(measured, stage) == [5, 6, 7, 8, 9, 10, 11, 14]


def test_what_cannot_be_is_named(measured):
    with pytest.raises(ManifestError, match=r"select.filters.best.top.*scor"):
        selected(measured, best(share=0.5, by="scor"))
    with pytest.raises(ManifestError, match=r"select.filters.best.top"):
        selected(measured, best(share=0.5, within="nothing"))
    with pytest.raises(ValueError, match="share") as raised:
        Params(filters=[best(share=30)])
    assert "either `keep`" not in str(raised.value)
    with pytest.raises(ValueError, match="either `keep`"):
        Params(filters=[{**best(share=0.5), "keep": "true"}])
    with pytest.raises(ValueError, match="either `keep`"):
        Params(filters=[{"name": "none"}])
    with pytest.raises(ManifestError, match=r"select.filters.best.top.*Could not convert"):
        selected(measured, best(share=0.5, by="word::int")).rows(measured)
