import numpy as np

from dataengine import catalog, stats
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
