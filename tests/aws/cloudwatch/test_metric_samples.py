"""Samples: statistics, percentiles, and their bounds."""

from __future__ import annotations

import random

import pytest

from sagewright.aws.cloudwatch.samples import MAX_VALUES, Sample, is_extended, is_statistic, statistic, unpack


def sample_of(*values: float) -> Sample:
    sample = Sample()
    for value in values:
        sample.add(value)
    return sample


@pytest.mark.parametrize(("name", "expected"), [
    ("SampleCount", 5), ("Sum", 15), ("Average", 3), ("Minimum", 1), ("Maximum", 5),
    ("p0", 1), ("p50", 3), ("p99", 5), ("p100", 5), ("p20", 1), ("p20.1", 2), ("IQM", 3),
    ("tm80", 2.5), ("tc80", 4), ("ts80", 10), ("TM(20%:80%)", 3), ("TC(1:3)", 2), ("TS(:3)", 6),
    ("PR(:3)", 60), ("PR(3:)", 40), ("WM(20%:80%)", 3), ("wm80", 2.8),
])
def test_statistics_of_one_to_five(name: str, expected: float) -> None:
    assert statistic(sample_of(1, 2, 3, 4, 5), name) == pytest.approx(expected)


def test_counts_weigh_percentiles() -> None:
    sample = Sample()
    sample.add(1.0, 99)
    sample.add(1000.0, 1)
    assert (statistic(sample, "p99"), statistic(sample, "p99.5"), statistic(sample, "Sum")) == (1, 1000, 1099)


def test_a_statistic_set_hides_its_distribution_unless_its_values_are_equal() -> None:
    sample = sample_of(5)
    sample.add_set(3, 15, 5, 5)
    assert statistic(sample, "p50") == 5
    sample.add_set(2, 10, 1, 9)
    assert statistic(sample, "p50") is None
    assert (sample.count, sample.total, sample.low, sample.high) == (6, 30, 1, 9)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_many_values_stay_bounded_and_true_within_a_few_percent(scale: float) -> None:
    chance = random.Random(7)
    values = [chance.lognormvariate(0, 1) * scale for _ in range(20_000)]
    whole, halves = sample_of(*values), [sample_of(*values[:9000]), sample_of(*values[9000:])]
    halves[0].merge(halves[1])
    values.sort()
    for sample in (whole, halves[0]):
        assert sample.values is not None and len(sample.values) <= MAX_VALUES
        for percent in (50, 90, 99):
            exact = values[int(len(values) * percent / 100) - 1]
            assert statistic(sample, f"p{percent}") == pytest.approx(exact, rel=0.03)


def test_negative_zero_and_extreme_values_fold() -> None:
    sample = sample_of(*[(-1) ** n * 10.0 ** (n % 200 - 100) for n in range(1000)], 0.0)
    assert sample.count == 1001 and sample.values is not None and len(sample.values) <= MAX_VALUES


def test_a_sample_survives_packing() -> None:
    sample = sample_of(1.5, 2.5, 1.5)
    again = unpack(sample.count, sample.total, sample.low, sample.high, sample.packed())
    assert again == sample and again.width == 0


@pytest.mark.parametrize("name", ["p50", "p99.99", "p100", "tm90", "TM(10%:90%)", "PR(0:100)", "TS(10%:)", "wm98"])
def test_extended_statistics_are_known(name: str) -> None:
    assert is_extended(name) and is_statistic(name)


@pytest.mark.parametrize("name", ["90", "p101", "q50", "p", "TM(90%:10%)", "TM(10%:90)", "PR(1%:2%)", "TM(a:b)", "",
                                  "TM()", "Sum "])
def test_other_names_are_not(name: str) -> None:
    assert not is_extended(name) and not is_statistic(name)
