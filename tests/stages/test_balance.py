"""Balance: shares, caps and the seeded choice, as laws."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine import catalog, schema
from dataengine.errors import ManifestError
from stages.balance import Balance, Params


def weights(run, seed=0, **params) -> list[dict]:
    stage = Balance(seed, Params(**params))
    db = catalog.connect(run)
    stage.check(db)
    return stage.rows(db).read_all().cast(stage.columns).to_pylist()


@pytest.fixture
def kept(make_run, write_part):
    """A run whose samples have the categories given, all kept in each of the phases."""

    def make(categories, phases=(256,)):
        run = make_run([{"category": c} for c in categories])
        rows = [
            {"sample_id": f"id{i:04d}", "phase": p, "kept": True, "part": 0, "row": i}
            for i in range(len(categories))
            for p in phases
        ]
        write_part(run, "decisions", 0, pa.Table.from_pylist(rows, schema=schema.DECISIONS))
        return run

    return make


def test_without_a_target_each_kept_sample_is_used_once(kept):
    rows = weights(kept(["a", "b", None]))
    assert [row["repeats"] for row in rows] == [1, 1, 1]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=3),
    shares=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    cap=st.integers(1, 4),
    size=st.one_of(st.none(), st.integers(1, 60)),
)
def test_a_category_gets_its_share_of_the_size_as_far_as_the_cap_allows(kept, counts, shares, cap, size):
    names = "abc"[: len(counts)]
    given_shares = shares[: len(counts)]
    if not sum(given_shares):
        given_shares[0] = 1
    target = {name: share / sum(given_shares) for name, share in zip(names, given_shares, strict=True)}
    rows = weights(
        kept([name for name, count in zip(names, counts, strict=True) for _ in range(count)]),
        target=target,
        max_repeats=cap,
        size=size,
    )
    uses = Counter()
    for row in rows:
        assert 0 <= row["repeats"] <= cap
        uses[row["category"]] += row["repeats"]
    for name, count in zip(names, counts, strict=True):
        exact = target[name] * (size or sum(counts))
        assert abs(uses[name] - min(exact, count * cap)) <= 0.5 + 1e-9
        repeats = [row["repeats"] for row in rows if row["category"] == name]
        assert max(repeats) - min(repeats) <= 1, "samples of a category are used as evenly as can be"


def test_the_choice_is_the_seeds_and_the_same_in_every_phase(kept):
    run = kept(["a"] * 20, phases=(256, 640))
    first, again, other = (
        [(r["row"], r["phase"], r["repeats"]) for r in weights(run, seed=seed, target={"a": 1}, size=7)]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    used = {phase: {row for row, p, repeats in first if p == phase and repeats} for phase in (256, 640)}
    assert used[256] == used[640]
    assert len(used[256]) == 7


def test_the_choice_does_not_depend_on_how_samples_are_cut_into_parts(make_run, write_part):
    chosen = []
    for part in (100, 7):
        run = make_run([{"category": "a"}] * 20, part=part)
        for index, start in enumerate(range(0, 20, part)):
            rows = [
                {"sample_id": f"id{i:04d}", "phase": 256, "kept": True, "part": index, "row": i - start}
                for i in range(start, min(start + part, 20))
            ]
            write_part(run, "decisions", index, pa.Table.from_pylist(rows, schema=schema.DECISIONS))
        chosen.append(
            {row["sample_id"]: row["repeats"] for row in weights(run, target={"a": 1}, size=27, max_repeats=3)}
        )
    assert chosen[0] == chosen[1]
    assert sum(chosen[0].values()) == 27


def test_each_phase_fills_its_shares_from_what_it_kept(make_run, write_part):
    run = make_run([{"category": "ab"[i % 2]} for i in range(8)])
    rows = [
        {"sample_id": f"id{i:04d}", "phase": p, "kept": p == 256 or i < 4, "part": 0, "row": i}
        for i in range(8)
        for p in (256, 640)
    ]
    write_part(run, "decisions", 0, pa.Table.from_pylist(rows, schema=schema.DECISIONS))
    uses = Counter()
    for row in weights(run, target={"a": 0.75, "b": 0.25}, max_repeats=2):
        uses[row["phase"], row["category"]] += row["repeats"]
    assert uses == {(256, "a"): 6, (256, "b"): 2, (640, "a"): 3, (640, "b"): 1}


def test_byte_identical_samples_are_used_each_on_its_own(make_run, write_part):
    run = make_run([{"sample_id": "twin", "category": "a"}] * 3)
    rows = [{"sample_id": "twin", "phase": 256, "kept": True, "part": 0, "row": i} for i in range(3)]
    write_part(run, "decisions", 0, pa.Table.from_pylist(rows, schema=schema.DECISIONS))
    found = weights(run, target={"a": 1}, size=4, max_repeats=2)
    assert [row["row"] for row in found] == [0, 1, 2]
    assert sorted(row["repeats"] for row in found) == [1, 1, 2]


def test_nothing_kept_is_nothing_used():
    assert Balance(0, Params(target={"a": 1})).rows(catalog.connect_empty({})).read_all().num_rows == 0


def test_a_category_without_a_target_is_named_and_not_dropped_in_silence(kept):
    with pytest.raises(ManifestError, match=r"2 kept samples are of category 'nature'.*did you mean 'natur'"):
        weights(kept(["nature", "nature", "people"]), target={"natur": 0.5, "people": 0.5})
    with pytest.raises(ManifestError, match="'unknown'"):
        weights(kept(["a", None]), target={"a": 1})


def test_any_column_can_be_balanced_and_a_misspelt_one_is_named(kept):
    run = kept(["a", "b"])
    assert len(weights(run, by="width", target={"300": 1})) == 2
    with pytest.raises(ManifestError, match="did you mean 'width'"):
        weights(run, by="widht", target={"300": 1})


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"a": 0.5}, "sum to 1, not 0.5"),
        ({"a": 1.5, "b": -0.5}, r"(?s)target\.b.*greater than or equal to 0"),
        ({"a": float("nan"), "b": 1}, r"(?s)target\.a.*finite"),
    ],
)
def test_shares_that_do_not_sum_to_one_are_refused(target, words):
    with pytest.raises(ValueError, match=words):
        Params(target=target)


@pytest.fixture
def described(make_run, write_part):
    """A run whose samples are given as dicts, with a signal, all kept."""

    def make(samples, **signal):
        run = make_run(samples, part=1000, **({"own": signal} if signal else {}))
        rows = [
            {"sample_id": f"id{i:04d}", "phase": 256, "kept": True, "part": 0, "row": i} for i in range(len(samples))
        ]
        write_part(run, "decisions", 0, pa.Table.from_pylist(rows, schema=schema.DECISIONS))
        return run

    return make


def counted(rows: list[dict], samples: list[dict], *keys: str) -> Counter:
    uses = Counter()
    for row in rows:
        uses[tuple(samples[row["row"]][key] for key in keys)] += row["repeats"]
    return uses


def test_several_dimensions_are_balanced_at_once(described):
    samples = [{"category": c, "language": x} for c, x, n in
               (("a", "en", 40), ("a", "zh", 10), ("b", "en", 10), ("b", "zh", 40)) for _ in range(n)]  # fmt: skip
    rows = weights(
        described(samples),
        by="category",
        target={"a": 0.5, "b": 0.5},
        also=[{"by": "language", "target": {"en": 0.3, "zh": 0.7}}],
        max_repeats=5,
    )
    assert counted(rows, samples, "category") == {("a",): 50, ("b",): 50}
    assert counted(rows, samples, "language") == {("en",): 30, ("zh",): 70}


def test_bands_and_classes_within_classes(described):
    samples = [{"category": "a"}] * 12
    lengths = [3] * 8 + [30] * 4
    band = {"by": "case when length < 10 then 'short' else 'long' end", "temper": 0, "within": True}
    rows = weights(described(samples, length=lengths), target={"a": 1}, also=[band], max_repeats=2)
    assert sum(row["repeats"] for row in rows[:8]) == sum(row["repeats"] for row in rows[8:]) == 6


def test_the_category_may_be_assigned(described):
    run = described([{"category": "a"}, {"category": None}, {"category": None}], guess=["x", "b", None])
    rows = weights(run, category="coalesce(category, guess)", target={"a": 0.5, "b": 0.5, "unknown": 0})
    assert [(row["category"], row["repeats"]) for row in rows] == [("a", 1), ("b", 1), (None, 0)]


def test_the_best_of_a_class_are_used_first(described):
    run = described([{"category": "a"}] * 6, score=[1.0, 6.0, None, 5.0, 2.0, 4.0])
    rows = weights(run, target={"a": 1}, size=3, prefer=["score desc"])
    assert [row["repeats"] for row in rows] == [0, 1, 0, 1, 0, 1]
    rows = weights(run, target={"a": 1}, size=3, prefer=["score asc"])
    assert [row["repeats"] for row in rows] == [1, 0, 0, 0, 1, 1]


def test_common_concepts_are_thinned_and_rare_ones_stay(described):
    words = [["sea"]] * 200 + [["sea", "lute"]] * 5 + [["kayak"]] * 5 + [[]] * 5
    run = described([{"category": "a"}] * 215, words=words)
    rows = weights(run, concepts={"of": "words", "most": 20})
    uses = [row["repeats"] for row in rows]
    assert set(uses) <= {0, 1}
    assert uses[200:] == [1] * 15  # those that hold something rare, and those that hold nothing
    assert 10 <= sum(uses[:200]) <= 30  # 200 × 20 / 205
    assert sum(uses) == round(200 * 20 / 205 + 15)


def test_rare_characters_are_repeated(described):
    texts = ["人人"] * 99 + ["龘"]
    run = described([{"category": "a"}] * 100, said=texts)
    asked = {"of": "string_split(said, '')", "lift": 0.16}
    repeats = [row["repeats"] for row in weights(run, concepts=asked, max_repeats=8)]
    assert repeats == [1] * 99 + [4]  # √(0.16 / 0.01)
    assert [row["repeats"] for row in weights(run, concepts=asked, max_repeats=2)] == [1] * 99 + [2]


def test_concepts_weigh_within_the_share_of_a_class(described):
    samples = [{"category": "a"}] * 10 + [{"category": "b"}] * 10
    words = [["x"]] * 9 + [["rare"]] + [["x"]] * 10
    asked = {"of": "words", "lift": 0.2}
    rows = weights(described(samples, words=words), target={"a": 0.5, "b": 0.5}, concepts=asked, max_repeats=4)
    assert counted(rows, samples, "category") == {("a",): 10, ("b",): 10}
    assert rows[9]["repeats"] >= 1


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tags=st.lists(st.lists(st.sampled_from("abcdef"), max_size=3), min_size=1, max_size=30), most=st.integers(1, 9))
def test_concepts_never_use_more_than_there_is(described, tags, most):
    run = described([{}] * len(tags), tags=pa.array(tags, pa.list_(pa.string())))
    first, again = (weights(run, concepts={"of": "tags", "most": most}) for _ in range(2))
    assert first == again
    assert {row["repeats"] for row in first} <= {0, 1}
    single = [i for i, held in enumerate(tags) if len(set(held)) == 1 and sum(held[0] in t for t in tags) <= most]
    assert all(first[i]["repeats"] == 1 for i in single)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"concepts": {"of": "caption", "most": 3}}, r"concepts\.of is a VARCHAR, not a list"),
        ({"prefer": ["sharpnes desc"]}, r"balance\.prefer\.0.*sharpnes"),
        ({"also": [{"by": "langauge", "temper": 0}]}, r"balance\.also\.0\.by.*did you mean 'language'"),
        ({"category": "coalesce(category, clip)"}, r"balance\.category.*clip"),
        ({"category": "max(category)"}, r"balance\.category.*GROUP BY"),
        ({"by": "unnest(string_split(caption, ' '))", "temper": 0}, r"balance\.by.*UNNEST"),
        ({"by": "string_split(caption, ' ')", "temper": 0}, r"(?s)balance\.by is a VARCHAR\[\].*`concepts`"),
        ({"also": [{"by": "caption::int", "temper": 0}]}, r"(?s)balance\.also\.0\.by: .*Could not convert.*try_cast"),
        ({"also": [{"by": "language", "target": {"en": 1}}]}, r"balance\.also\.0\.target: 1 kept samples"),
    ],
)
def test_what_cannot_be_is_named_by_its_key(described, params, words):
    with pytest.raises(ManifestError, match=words):
        weights(described([{"caption": "a cat"}]), **params)


def test_a_dimension_without_shares_is_refused():
    with pytest.raises(ValueError, match=r"by: give its shares too"):
        Params(by="language")
    with pytest.raises(ValueError, match=r"also\.0: give the shares of language too"):
        Params(temper=0, also=[{"by": "language"}])


def test_shares_and_a_temper_together_are_refused():
    with pytest.raises(ValueError, match="either `target` or `temper`"):
        Params(target={"a": 1}, temper=0.5)
