"""Selection: what each predicate decides, from which phase on, and what a dropped sample says."""

import pytest

from dataengine import catalog
from dataengine.errors import ManifestError
from stages.select import Params, Select


@pytest.fixture
def decide(make_run):
    """Decisions of filters over five samples with clarity 1 to 5 (the fourth unmeasured) and growing widths."""

    def make(*filters: dict, phases: tuple[int, ...] = (256,)) -> dict[tuple[int, int], dict]:
        run = make_run(
            [{"width": 200 + 100 * i, "caption": f"it's -- {i}"} for i in range(5)],
            part=2,
            sharp={"clarity": [1.0, 2.0, 3.0, None, 5.0], "scripts": [["Latn"], ["Hani"], [], None, ["Latn", "Thai"]]},
        )
        stage = Select(0, Params(phases=list(phases), filters=list(filters)))
        db = catalog.connect(run)
        stage.check(db)
        table = stage.rows(db).read_all()
        assert table.schema.names == stage.columns.names
        assert table.num_rows == 5 * len(phases)
        return {(row["part"] * 2 + row["row"], row["phase"]): row for row in table.cast(stage.columns).to_pylist()}

    return make


def kept(decisions: dict, phase: int = 256) -> list[int]:
    return [sample for (sample, p), row in decisions.items() if p == phase and row["kept"]]


def test_without_filters_every_sample_is_kept_in_every_phase(decide):
    decisions = decide(phases=(256, 640))
    assert kept(decisions, 256) == kept(decisions, 640) == [0, 1, 2, 3, 4]
    assert {row["dropped_by"] for row in decisions.values()} == {None}


def test_a_filter_applies_from_its_phase_on(decide):
    decisions = decide(
        {"name": "a", "keep": "width >= 300"},
        {"name": "b", "phase": 640, "keep": "width >= 500"},
        phases=(256, 640, 1328),
    )
    assert kept(decisions, 256) == [1, 2, 3, 4]
    assert kept(decisions, 640) == kept(decisions, 1328) == [3, 4]
    assert decisions[0, 640]["failed"] == ["a", "b"]


def test_a_dropped_sample_names_the_first_filter_its_values_its_predicate_and_all_that_failed(decide):
    decisions = decide(
        {"name": "clarity", "keep": "clarity >= 2.5"}, {"name": "size", "keep": "least(width,\n height) >= 400"}
    )
    row = decisions[0, 256]
    assert (row["dropped_by"], row["failed"]) == ("clarity", ["clarity", "size"])
    assert row["reason"] == "clarity = 1; keep: clarity >= 2.5"
    assert decisions[2, 256]["reason"] == "width = 400, height = 300; keep: least(width, height) >= 400"


def test_a_predicate_over_many_samples_counts_each_once_however_many_phases_there_are(decide):
    best = {"name": "best", "keep": "row_number() over (order by clarity desc nulls last) <= 2"}
    decisions = decide(best, phases=(256, 640, 1328))
    assert kept(decisions, 256) == kept(decisions, 640) == kept(decisions, 1328) == [2, 4]
    above = decide({"name": "above", "keep": "width > (select avg(width) from measured)"}, phases=(256, 640))
    assert kept(above, 640) == [3, 4]


def test_decisions_stand_in_the_order_of_samples_and_phases(make_run):
    run = make_run([{"width": 100 + i % 7} for i in range(5000)], part=1700, sharp={"clarity": [0.0, 1.0] * 2500})
    filters = [{"name": "a", "keep": "width > 102"}, {"name": "b", "keep": "clarity > 0", "phase": 640}]
    decided = Select(0, Params(phases=[256, 640], filters=filters)).rows(catalog.connect(run)).read_all()
    order = [(1700 * row["part"] + row["row"], row["phase"]) for row in decided.to_pylist()]
    assert order == [(i, phase) for i in range(5000) for phase in (256, 640)]


def test_a_predicate_without_columns_says_only_what_it_is(decide):
    assert decide({"name": "none", "keep": "1 = 2"})[0, 256]["reason"] == "keep: 1 = 2"


def test_names_with_quotes_in_predicates_and_columns_of_views_are_shown(decide):
    decisions = decide({"name": "q", "keep": "measured.caption <> 'it''s -- 0'"})
    assert decisions[0, 256]["reason"] == "caption = it's -- 0; keep: measured.caption <> 'it''s -- 0'"


def test_a_predicate_that_fails_on_a_value_is_named_with_what_was_wrong(decide):
    with pytest.raises(ManifestError) as raised:
        decide({"name": "fine", "keep": "true"}, {"name": "number", "keep": "caption::int > 3"})
    for word in ("select.filters.number.keep", "caption::int > 3", "Could not convert", "try_cast"):
        assert word in str(raised.value)


def test_the_failing_predicate_is_named_also_beside_one_that_ranks_all_samples(decide):
    with pytest.raises(ManifestError, match=r"select\.filters\.number\.keep"):
        decide({"name": "first", "keep": "row_number() over () <= 3"}, {"name": "number", "keep": "caption::int > 3"})


def test_signals_may_name_their_columns_as_decisions_do(make_run):
    names = ["phase", "kept", "dropped_by", "reason", "failed", "faults", "fault", "name", "since"]
    db = catalog.connect(make_run([{}, {}], own={name: [1, 3] for name in names}))
    stage = Select(0, Params(filters=[{"name": f"by-{name}", "keep": f"{name} > 2"} for name in names]))
    stage.check(db)
    first, second = stage.rows(db).read_all().to_pylist()
    assert (first["phase"], first["kept"], first["failed"]) == (256, False, [f"by-{name}" for name in names])
    assert first["reason"] == "phase = 1; keep: phase > 2"
    assert (second["phase"], second["kept"], second["failed"]) == (256, True, [])


def test_byte_identical_samples_have_a_decision_each(make_run):
    db = catalog.connect(make_run([{"sample_id": "twin"}] * 3, part=2, sharp={"clarity": [1.0, 5.0, 5.0]}))
    rows = Select(0, Params(filters=[{"name": "f", "keep": "clarity > 2"}])).rows(db).read_all().to_pylist()
    assert [(row["part"], row["row"], row["kept"]) for row in rows] == [(0, 0, False), (0, 1, True), (1, 0, True)]


def test_no_samples_are_no_decisions():
    stage = Select(0, Params(filters=[{"name": "f", "keep": "width > 2"}]))
    assert stage.rows(catalog.connect_empty({})).read_all().num_rows == 0


@pytest.mark.parametrize(("when_missing", "stays"), [("keep", [2, 3, 4]), ("drop", [2, 4])])
def test_a_value_that_is_missing_is_decided_as_the_filter_says(decide, when_missing, stays):
    decisions = decide({"name": "c", "keep": "clarity >= 3", "when_missing": when_missing})
    assert kept(decisions) == stays
    if when_missing == "drop":
        assert decisions[3, 256]["reason"] == "clarity = missing; keep: clarity >= 3"


@pytest.mark.parametrize(
    ("predicate", "stays"),
    [
        ("caption = 'it''s -- 2' -- the third", [2]),
        ("clarity between 2 and 3 or width = 600", [1, 2, 4]),
        ("list_contains(scripts, 'Latn')", [0, 4]),
        ("len(list_filter(scripts, lambda s: s = 'Thai')) = 1", [4]),
        ('"clarity" > 2 and part = 1', [2]),
        ("case when width > 400 then true else false end", [3, 4]),
        ("CLARITY > 4", [4]),
        ("clarity /* of the -- page */ > 4", [4]),
        ("'Thai' in (select unnest(scripts))", [4]),
    ],
)
def test_any_predicate_of_duckdb_will_do(decide, predicate, stays):
    decisions = decide({"name": "f", "keep": predicate})
    assert kept(decisions) == stays
    assert all("keep: " in row["reason"] for row in decisions.values() if not row["kept"])


@pytest.mark.parametrize(
    ("predicate", "words"),
    [
        ("claritty >= 4", ["claritty", 'Candidate bindings: "clarity"']),
        ("clarity >=", ["syntax error"]),
        ("clarity + 1", ["not true or false"]),
        ("no_function(clarity)", ["no_function"]),
        ("(select 1", ["syntax error"]),
        ("avg(clarity) > 3", ["GROUP BY"]),
        ("true; drop table x", ["syntax error"]),
        ("caption", ["a VARCHAR, not true or false"]),
        ("unnest(scripts) = 'Latn'", ["UNNEST"]),
        ("true), (false", ["syntax error"]),
        ("columns(['width', 'height']) > 300", ["columns"]),
    ],
)
def test_a_predicate_that_cannot_decide_is_refused_by_its_name(decide, predicate, words):
    with pytest.raises(ManifestError) as raised:
        decide({"name": "mine", "keep": predicate})
    for word in ["select.filters.mine.keep", *words]:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"phases": [640, 256]}, "must rise"),
        ({"phases": []}, "phases"),
        ({"filters": [{"name": "a", "keep": "true"}, {"name": "a", "keep": "true"}]}, "two filters are named a"),
        ({"filters": [{"name": "a", "phase": 99, "keep": "true"}]}, "99 is not one of the phases"),
    ],
)
def test_phases_and_names_must_make_sense(params, words):
    with pytest.raises(ValueError, match=words):
        Params(**params)
