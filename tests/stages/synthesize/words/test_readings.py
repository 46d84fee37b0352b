from stages.synthesize.words.readings import readings


def read(text: str) -> list[tuple[str, str]]:
    return [(text[start:end], reading) for start, end, reading in readings(text)]


def test_ideographs_are_read_and_kana_are_not():
    assert read("人間は、理性と良心とを授けられ。") == [
        ("人間", "にんげん"),
        ("理性", "りせい"),
        ("良心", "りょうしん"),
        ("授", "さず"),
    ]


def test_what_has_no_ideographs_has_no_readings():
    assert read("すべてのカタカナ、and English 123。") == []


def test_a_reading_is_in_hiragana_and_lies_within_the_text():
    text = "お父さんは取り扱い説明書を読み、東京へ行った。"
    found = readings(text)
    assert all(c < "ァ" for _, _, reading in found for c in reading)
    assert [end for _, end, _ in found] == sorted(end for _, end, _ in found)
    assert all(0 <= start < end <= len(text) for start, end, _ in found)
    assert ("読", "よ") in read(text)
