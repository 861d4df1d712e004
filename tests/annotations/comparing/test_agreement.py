"""Alpha against the literature and against its definition, pair by pair; and its interval."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from scipy.sparse import csr_array

from circuitkb.annotations.comparing import reliability
from circuitkb.annotations.comparing.agreement import OVERALL, Alpha, agreement, alphas_of
from circuitkb.annotations.comparing.ratings import from_rows
from circuitkb.annotations.comparing.reliability import Likeness, ValueSums, masi_likeness
from circuitkb.schema.errors import QueryError
from tests.annotations.rated import alpha_by_definition, rated, unit
from tests.annotations.shared_records import by, feature, record, store_at, take_in

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, example C: four observers.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
# Examples A and B, two observers each: a binary rating, and one of five categories.
BINARY = ("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
CATEGORIES = ("a a b b d c c c e d d a", "b a b b b c c c e d d d")

Distance = Callable[[float, float], float]


def differ(one: object, two: object) -> float:
    return float(one != two)


def ranks_apart(lines: Sequence[str]) -> Distance:
    """The ordinal distance: how many ratings lie between two ranks, half of each rank's own."""
    units = [
        [float(x) for x in unit if x != "."] for unit in zip(*map(str.split, lines), strict=True)
    ]
    values = [value for unit in units if len(unit) > 1 for value in unit]

    def distance(one: float, two: float) -> float:
        low, high = sorted((one, two))
        between = sum(low <= value <= high for value in values)
        return (between - (values.count(low) + values.count(high)) / 2) ** 2

    return distance


DISTANCES: dict[str, Distance] = {
    "nominal": differ,
    "ordinal": ranks_apart(OBSERVERS),
    "interval": lambda one, two: (one - two) ** 2,
    "ratio": lambda one, two: ((one - two) / (one + two)) ** 2 if one + two else 0.0,
}
PUBLISHED = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}
"""Alpha of example C at each level of measurement, as its article prints it."""


def rows(found: list[Alpha]) -> dict[str, Alpha]:
    return {row.concept: row for row in found}


def observers() -> list[tuple[int, str, str]]:
    return [
        (number, f"observer-{i}", value)
        for i, line in enumerate(OBSERVERS)
        for number, value in enumerate(line.split())
        if value != "."
    ]


def random_sets(seed: int, raters: int = 4, units: int = 30) -> list[tuple[int, str, str]]:
    rng = random.Random(seed)
    return [
        (number, f"rater-{rater}", concept)
        for number in range(units)
        for rater in range(raters)
        if rng.random() < 0.7
        for concept in rng.sample("abcd", rng.choice((1, 1, 2, 3)))
    ]


def ratings_in(table: np.ndarray) -> list[list[float]]:
    """The ratings of each unit (column) of a table with a row for each rater."""
    return [column[~np.isnan(column)].tolist() for column in table.T]


def masi(one: frozenset[str], two: frozenset[str]) -> float:
    jaccard = len(one & two) / len(one | two)
    if one == two:
        held = 1.0
    elif one <= two or two <= one:
        held = 2 / 3
    else:
        held = 1 / 3
    return 1 - jaccard * held


def alpha_of_values(units: Sequence[Sequence[float]], distance: Distance) -> float:
    """Alpha by sums over units, of ratings that are numbers."""
    values = sorted({value for unit in units for value in unit})
    counts = csr_array([[float(unit.count(value)) for value in values] for unit in units])
    likeness = Likeness(csr_array([[1 - distance(one, two) for two in values] for one in values]))
    return float(ValueSums(counts, likeness).alpha(np.ones((1, len(units))))[0, 0])


@pytest.mark.parametrize("level", PUBLISHED)
def test_each_level_of_measurement_has_the_published_alpha(level: str) -> None:
    units = [
        [float(value) for value in unit if value != "."]
        for unit in zip(*map(str.split, OBSERVERS), strict=True)
    ]
    found = alpha_of_values(units, DISTANCES[level])
    assert found == pytest.approx(PUBLISHED[level], abs=5e-4)
    assert found == pytest.approx(alpha_by_definition(units, DISTANCES[level]))


@pytest.mark.parametrize("level", PUBLISHED)
def test_alpha_of_random_values_is_that_of_the_definition(level: str) -> None:
    rng = random.Random(level)
    for _ in range(5):
        units = [[float(rng.randrange(1, 7)) for _ in range(rng.randrange(5))] for _ in range(20)]
        distance = DISTANCES[level]
        assert alpha_of_values(units, distance) == pytest.approx(
            alpha_by_definition(units, distance)
        )


def test_two_observers_have_the_published_alpha_of_yes_and_no_and_of_categories() -> None:
    said = [
        (number, rater, ("no", "yes")[int(value)])
        for rater, line in zip(("Meg", "Owen"), BINARY, strict=True)
        for number, value in enumerate(line.split())
    ]
    found = rows(alphas_of(rated(said), "human", seed=0, resamples=100))
    # Of two values each is the other's opposite: all three alphas are one.
    for concept in (OVERALL, "no", "yes"):
        assert found[concept].alpha == pytest.approx(0.095, abs=5e-4)
    said = [
        (number, rater, value)
        for rater, line in zip(("Ben", "Gerry"), CATEGORIES, strict=True)
        for number, value in enumerate(line.split())
    ]
    found = rows(alphas_of(rated(said), "human", seed=0, resamples=100))
    assert found[OVERALL].alpha == pytest.approx(0.692, abs=5e-4)


def test_a_worked_example_in_labels_has_its_published_alpha() -> None:
    found = rows(alphas_of(rated(observers()), "human", seed=0, resamples=100))
    # One label each: MASI is 0 or 1, so alpha over sets is the nominal one.
    assert found[OVERALL].alpha == pytest.approx(PUBLISHED["nominal"], abs=5e-4)
    assert (found[OVERALL].units, found[OVERALL].pairable) == (12, 11)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_of_a_concept_is_that_of_the_definition(seed: int) -> None:
    said = random_sets(seed)
    found = rows(alphas_of(rated(said), "all", seed=0, resamples=100))
    raters = sorted({rater for _, rater, _ in said})
    for concept in "abcd":
        table = np.full((len(raters), 30), np.nan)
        for number, rater, _ in said:
            table[raters.index(rater), number] = 0
        for number, rater, given in said:
            if given == concept:
                table[raters.index(rater), number] = 1
        assert found[concept].alpha == pytest.approx(alpha_by_definition(ratings_in(table), differ))
        assert found[concept].pairable == int(((~np.isnan(table)).sum(axis=0) > 1).sum())


@pytest.mark.parametrize("seed", range(5))
def test_alpha_over_sets_is_that_of_the_definition_with_masi(seed: int) -> None:
    said = random_sets(seed)
    sets = [
        [
            frozenset(c for n, r, c in said if (n, r) == (number, rater))
            for rater in sorted({r for n, r, _ in said if n == number})
        ]
        for number in range(30)
    ]
    found = rows(alphas_of(rated(said), "all", seed=0, resamples=100))
    assert found[OVERALL].alpha == pytest.approx(alpha_by_definition(sets, masi))


def test_the_interval_is_that_of_resampling_units_by_the_definition() -> None:
    said = random_sets(11)
    raters = sorted({rater for _, rater, _ in said})
    table = np.full((len(raters), 30), np.nan)
    for value in (0, 1):
        for number, rater, concept in said:
            if value == 0 or concept == "a":
                table[raters.index(rater), number] = value
    pairable = np.flatnonzero((~np.isnan(table)).sum(axis=0) > 1)

    def statistic(drawn: np.ndarray) -> float | None:
        return alpha_by_definition(ratings_in(table[:, drawn]), differ)

    expected = scipy.stats.bootstrap(
        (pairable,),
        statistic,
        n_resamples=100,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    found = rows(alphas_of(rated(said), "all", seed=4, resamples=100))["a"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_interval_over_sets_is_that_of_resampling_units_by_the_definition() -> None:
    said = random_sets(12, raters=3, units=12)
    sets = {
        number: [
            frozenset(c for n, r, c in said if (n, r) == (number, rater))
            for rater in sorted({r for n, r, _ in said if n == number})
        ]
        for number in range(12)
    }
    pairable = np.array([number for number, values in sets.items() if len(values) > 1])

    def statistic(drawn: np.ndarray) -> float | None:
        return alpha_by_definition([sets[number] for number in drawn.tolist()], masi)

    expected = scipy.stats.bootstrap(
        (pairable,),
        statistic,
        n_resamples=100,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    found = rows(alphas_of(rated(said), "all", seed=4, resamples=100))[OVERALL]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("seed", range(20))
def test_alpha_with_reviews_is_that_of_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    verdicts = ("agree", "agree", "disagree", "unsure")
    said = {
        (rng.randrange(10), rng.randrange(4), rng.choice("abc")): rng.choice(verdicts)
        for _ in range(60)
    }
    table = {concept: np.full((4, 10), np.nan) for concept in "abc"}
    for (number, rater, _), verdict in said.items():
        for concept in "abc" if verdict == "agree" else "":
            table[concept][rater, number] = 0
    value = {"agree": 1, "disagree": 0, "unsure": np.nan}
    for (number, rater, concept), verdict in said.items():
        table[concept][rater, number] = value[verdict]
    found = rows(
        alphas_of(
            from_rows(
                (unit(number), f"rater-{rater}", "human", concept, verdict)
                for (number, rater, concept), verdict in said.items()
            ),
            "all",
            seed=0,
            resamples=100,
        )
    )
    for concept in "abc":
        expected = alpha_by_definition(ratings_in(table[concept]), differ)
        assert found[concept].alpha == pytest.approx(expected)


def test_two_raters_and_one_concept_follow_the_closed_form() -> None:
    # 10 units: both give it in 4, one alone in 3, none in 3 (they give another label there).
    said = [(n, "ada", "curve" if n < 7 else "line") for n in range(10)]
    said += [(n, "grace", "curve" if n < 4 else "line") for n in range(10)]
    yes, no = 11, 9
    closed = 1 - (20 - 1) * 3 / (yes * no)
    found = rows(alphas_of(rated(said), "all", seed=0, resamples=200))
    assert found["curve"].alpha == pytest.approx(closed)


def test_raters_who_agree_on_everything_have_alpha_one_in_every_resample() -> None:
    said = [(n, rater, "ab"[n % 2]) for n in range(40) for rater in ("ada", "grace", "mary")]
    for row in alphas_of(rated(said), "all", seed=0, resamples=200):
        assert (row.alpha, row.low, row.high) == pytest.approx((1.0, 1.0, 1.0))


def test_the_interval_covers_nought_for_raters_who_guess_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    trials = 100
    for _ in range(trials):
        said = [(n, rater, "ab"[rng.integers(2)]) for n in range(80) for rater in ("ada", "grace")]
        row = rows(alphas_of(rated(said), "all", seed=int(rng.integers(1 << 30)), resamples=300))
        low, high = row["a"].low, row["a"].high
        assert low is not None
        assert high is not None
        covered += low <= 0 <= high
    assert covered >= 88  # 95 expected of 100


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    found = rated(random_sets(1))
    one, again, other = (
        rows(alphas_of(found, "all", seed=seed, resamples=200))[OVERALL] for seed in (1, 1, 2)
    )
    assert one == again
    assert (one.alpha, one.low) != (other.alpha, other.low)


def test_one_rater_has_no_alpha_and_the_row_says_why() -> None:
    (overall, concept) = alphas_of(rated([(0, "ada", "curve")]), "all", seed=0, resamples=100)
    for row in (overall, concept):
        assert (row.alpha, row.low, row.high) == (None, None, None)
        assert row.why == "fewer than two raters"


def test_one_shared_unit_has_no_interval_and_the_row_says_why() -> None:
    found = rated([(0, "ada", "curve"), (0, "grace", "line"), (1, "ada", "curve")])
    for row in alphas_of(found, "all", seed=0, resamples=100):
        assert (row.alpha, row.low, row.pairable) == (0.0, None, 1)
        assert "only one unit" in str(row.why)


def test_a_unit_that_people_only_disagreed_about_is_a_rated_unit() -> None:
    found = from_rows(
        [
            (unit(0), "explainer", "model", "curve", "agree"),
            (unit(0), "ada", "human", "curve", "disagree"),
            (unit(0), "grace", "human", "curve", "disagree"),
        ]
    )
    (overall, curve) = alphas_of(found.humans(), "human", seed=0, resamples=100)
    assert (curve.units, curve.pairable, curve.rater_count, curve.given) == (1, 1, 2, 0)
    assert (overall.units, overall.pairable) == (1, 0)  # nobody of them gave a set


def test_where_raters_share_no_unit_nothing_can_be_paired() -> None:
    found = rated([(0, "ada", "curve"), (1, "grace", "curve")])
    assert {row.why for row in alphas_of(found, "all", seed=0, resamples=100)} == {
        "no unit has two ratings"
    }


def test_where_all_say_the_same_alpha_is_undefined_and_not_one() -> None:
    found = rated([(n, rater, "curve") for n in range(5) for rater in ("ada", "grace")])
    for row in alphas_of(found, "all", seed=0, resamples=100):
        assert row.alpha is None
        assert "no variation" in str(row.why)


def test_a_concept_of_one_unit_has_alpha_and_no_interval() -> None:
    said = [(n, r, "curve" if n == 0 else "line") for n in range(50) for r in ("ada", "grace")]
    row = rows(alphas_of(rated(said), "all", seed=0, resamples=200))["curve"]
    assert (row.alpha, row.low) == (1.0, None)
    assert "too rare" in str(row.why)


def test_masi_is_that_of_the_definition_for_all_sets_of_three() -> None:
    sets = [(0,), (1,), (0, 1), (1, 2), (0, 1, 2)]
    expected = [
        [1 - masi(frozenset(map(str, a)), frozenset(map(str, b))) for b in sets] for a in sets
    ]
    assert masi_likeness(sets, 3).toarray() == pytest.approx(np.array(expected))


def test_masi_of_many_sets_is_that_of_the_definition_a_few_rows_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reliability, "_AT_ONCE", 60)
    rng = random.Random(2)
    drawn = [frozenset(rng.sample(range(8), rng.randint(1, 6))) for _ in range(120)]
    sets = sorted({tuple(sorted(one)) for one in drawn})
    likeness = masi_likeness(sets, 8)
    expected = np.array(
        [[1 - masi(frozenset(map(str, a)), frozenset(map(str, b))) for b in sets] for a in sets]
    )
    assert likeness.toarray() == pytest.approx(expected, abs=1e-14)
    counts = np.array([[rng.randint(0, 3) for _ in range(5)] for _ in sets], dtype=np.float64)
    sums = np.einsum("sc,st,tc->c", counts, expected, counts)
    assert likeness.sums(counts) == pytest.approx(sums, rel=1e-13)
    assert likeness.sums_of_rows(csr_array(counts.T)) == pytest.approx(sums, rel=1e-13)


def test_humans_alone_and_all_raters_stand_apart_in_the_report_of_a_store(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    human = ["curve", "curve", "line", "line", "curve", "line"]
    said = [(n, who, "human", text) for n, text in enumerate(human) for who in ("ada", "grace")]
    said += [(n, "explainer", "model", "curve") for n in range(6)]
    take_in(
        store,
        [
            record(target=feature(n), author=by(who, kind), label={"text": text})
            for n, who, kind, text in said
        ],
        tmp_path,
    )
    report = agreement(store, resamples=200)
    assert report.overall("human").alpha == pytest.approx(1.0)
    mixed = [[*[text] * 2, "curve"] for text in human]
    expected = alpha_by_definition(mixed, lambda a, b: float(a != b))
    assert report.overall("all").alpha == pytest.approx(expected)
    assert [(a.concept, a.raters, a.rater_count) for a in report.alphas] == [
        (OVERALL, "all", 3),
        (OVERALL, "human", 2),
        ("curve", "all", 3),
        ("curve", "human", 2),
        ("line", "all", 3),
        ("line", "human", 2),
    ]
    result = report.to_result()
    assert len(result) == 6
    assert any("MASI" in note for note in result.notes)
    assert agreement(store, models=["beta"], resamples=100).overall("all").why == (
        "fewer than two raters"
    )
    store.close()


def test_too_few_resamples_are_refused(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kb.ckb")
    with pytest.raises(QueryError, match="needs 100"):
        agreement(store, resamples=10)
    store.close()
