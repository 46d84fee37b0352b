import numpy as np
import pyarrow as pa

from dataengine import catalog, schema, stats
from dataengine.sample import Paragraph, Spans


def paragraph(content: str) -> Paragraph:
    none = Spans([], np.empty((0, 8), np.float32))
    return Paragraph(content, "x", "Zyyy", "f", 12.0, 0, none, none, none)


def test_characters_of_the_text_in_pictures_are_counted_by_language(make_run):
    run = make_run(
        [
            {"language": "zh-Hans", "text": [paragraph("人人生而自由"), paragraph("自由")]},
            {"language": "zh-Hans", "text": [paragraph("生 人")]},
            {"language": "en", "text": [paragraph("so it is")]},
            {"text": [paragraph("1")]},
            {"language": "fr"},
        ],
        part=2,
    )
    assert stats.texts(catalog.connect(run)) == [
        ("zh-Hans", 2, 3, 10, 5, 1),
        ("en", 1, 1, 6, 4, 2),
        ("unknown", 1, 1, 1, 1, 1),
    ]


def test_a_run_without_text_has_no_such_rows(make_run):
    assert stats.texts(catalog.connect(make_run([{}, {}]))) == []


def test_pictures_of_each_character_that_was_asked_for_are_counted(make_run):
    run = make_run(
        [
            {"meta": {"set": "rare", "asked": "龘靐"}},
            {"meta": {"set": "rare", "asked": "龘"}},
            {"meta": {"set": "plain"}},
        ]
    )
    assert stats.asked(catalog.connect(run)) == [("rare", 2, 1, 1.5, 2)]


def test_signals_without_a_value_are_counted(make_run):
    run = make_run([{}, {}, {}], part=2, clip={"near": [None] * 3, "far": [None] * 3}, light={"luma": [0.5, None, 0.1]},
                   whole={"x": [1, 2, 3]})  # fmt: skip
    assert stats.unmeasured(catalog.connect(run)) == [("clip", 3, 3), ("light", 1, 3)]


def test_a_class_that_falls_short_is_reported(make_run, write_part):
    run = make_run([{"category": "a"}] * 3 + [{"category": "b"}], own={"seen": ["x", "x", "y", "y"]})
    rows = [
        {"sample_id": f"id{i:04d}", "phase": 256, "category": "aaab"[i], "repeats": 1, "part": 0, "row": i}
        for i in range(4)
    ]
    write_part(run, "weights", 0, pa.Table.from_pylist(rows, schema=schema.WEIGHTS))
    asked = {"by": "category", "target": {"a": 0.25, "b": 0.75}, "also": [{"by": "seen", "temper": 0.5}]}
    found = {by: [(s.value, s.uses, s.target, s.short) for s in rows] for by, rows in
             stats.balances(catalog.connect(run), asked)}  # fmt: skip
    assert found["category"] == [("a", 3, 0.25, 0), ("b", 1, 0.75, 2)]
    assert found["seen"] == [("x", 2, None, 0), ("y", 2, None, 0)]
    assert found["language"] == [("unknown", 4, None, 0)]


def test_shares_are_of_each_phase_with_the_category_that_weights_have(make_run, write_part):
    run = make_run([{"category": "a"}] * 4, part=2, own={"seen": ["x", "y", None, "y"]})
    used = [(256, 0, "b", 2), (256, 1, "b", 0), (256, 3, None, 1), (640, 3, "a", 4)]
    rows = [
        {"sample_id": f"id{i:04d}", "phase": phase, "category": c, "repeats": n, "part": i // 2, "row": i % 2}
        for phase, i, c, n in used
    ]
    write_part(run, "weights", 0, pa.Table.from_pylist(rows, schema=schema.WEIGHTS))
    db = catalog.connect(run)
    by_category = [(256, "b", 2, 2, 1, 2 / 3), (256, "unknown", 1, 1, 1, 1 / 3), (640, "a", 1, 4, 1, 1.0)]
    assert stats.shares(db, ["category"]) == [by_category]
    both = [(256, "x b", 1, 2, 1, 2 / 3), (256, "unknown", 1, 1, 1, 1 / 3), (256, "y b", 1, 0, 0, 0.0)]
    assert stats.shares(db, ["seen || ' ' || category", "category"]) == [
        [*both, (640, "y a", 1, 4, 1, 1.0)],
        by_category,
    ]
