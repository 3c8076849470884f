"""The macros of statistics.sql and exact_intervals.sql, run by dbt with its plugin, against scipy and statsmodels."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.rates import confint_poisson
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from clinic_outcomes.statistics.dbt_plugin import register_functions
from clinic_outcomes.statistics.effect_sizes import cohens_d, hedges_g
from clinic_outcomes.statistics.intervals import Group, byar_interval

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"

LOW = [12.0, 20.0, 25.0, 33.5, 40.0, 41.0]
HIGH = [30.0, 44.0, 45.0, 52.0, 61.0, 61.25, 66.0, 70.0]

MODEL = """
with low as (
    select count(*) as n, sum(score) as total, sum(score * score) as squares
    from (select cast(unnest({low}) as decimal(18, 4)) as score)
),
high as (
    select count(*) as n, sum(score) as total, sum(score * score) as squares
    from (select cast(unnest({high}) as decimal(18, 4)) as score)
),
groups as (
    select
        low.n as n_1, cast(low.total as double) / low.n as mean_1,
        {{{{ sample_sd('low.n', 'low.total', 'low.squares') }}}} as sd_1,
        high.n as n_2, cast(high.total as double) / high.n as mean_2,
        {{{{ sample_sd('high.n', 'high.total', 'high.squares') }}}} as sd_2
    from low cross join high
),
effects as (
    select *, {{{{ cohens_d('n_1', 'mean_1', 'sd_1', 'n_2', 'mean_2', 'sd_2') }}}} as d from groups
)
select
    sd_1, sd_2, d,
    {{{{ mean_lower('n_1', 'mean_1', 'sd_1') }}}} as mean_lower,
    {{{{ mean_upper('n_1', 'mean_1', 'sd_1', 0.998) }}}} as mean_upper,
    {{{{ welch_degrees_of_freedom('n_1', 'sd_1', 'n_2', 'sd_2') }}}} as welch_df,
    {{{{ welch_lower('n_1', 'mean_1', 'sd_1', 'n_2', 'mean_2', 'sd_2') }}}} as welch_lower,
    {{{{ welch_upper('n_1', 'mean_1', 'sd_1', 'n_2', 'mean_2', 'sd_2') }}}} as welch_upper,
    {{{{ welch_degrees_of_freedom('4', '0.0', '5', '0.0') }}}} as welch_df_without_spread,
    {{{{ cohens_d_lower('d', 'n_1', 'n_2') }}}} as d_lower,
    {{{{ cohens_d_upper('d', 'n_1', 'n_2') }}}} as d_upper,
    {{{{ hedges_g('d', 'n_1', 'n_2') }}}} as g,
    {{{{ cohens_d('4', '1.0', '0.0', '4', '2.0', '0.0') }}}} as d_without_spread,
    {{{{ sample_sd('1', '5.0', '25.0') }}}} as sd_of_one,
    {{{{ sample_sd('0', 'null', 'null') }}}} as sd_of_none,
    {{{{ sample_sd('3', '30000000.0003', '300000000006000.00000005') }}}} as sd_of_large,
    {{{{ mean_lower('1', '5.0', sample_sd('1', '5.0', '25.0')) }}}} as mean_of_one,
    {{{{ wilson_lower('10', '15') }}}} as wilson_lower,
    {{{{ wilson_upper('10', '15', 0.998) }}}} as wilson_upper,
    {{{{ wilson_lower('0', '15') }}}} as wilson_of_none,
    {{{{ wilson_upper('15', '15') }}}} as wilson_of_all,
    {{{{ wilson_lower('0', '0') }}}} as wilson_of_nobody,
    {{{{ chi_square_quantile(0.975, 8) }}}} as chi_square,
    {{{{ beta_quantile(0.025, 3, 13) }}}} as beta
from effects
"""


EXACT = """
with counts as (
    select *
    from (values {counts}) as counts (x, n)
)
select
    x, n,
    {{{{ clopper_pearson_lower('x', 'n') }}}} as share_lower,
    {{{{ clopper_pearson_upper('x', 'n') }}}} as share_upper,
    {{{{ clopper_pearson_lower('x', 'n', 0.9) }}}} as share_lower_90,
    {{{{ clopper_pearson_upper('x', 'n', 0.9) }}}} as share_upper_90,
    {{{{ upper_bound_of_none('n') }}}} as none_upper,
    {{{{ garwood_lower('x', 'n') }}}} as rate_lower,
    {{{{ garwood_upper('x', 'n') }}}} as rate_upper,
    {{{{ garwood_lower('x', 'n', 0.9) }}}} as rate_lower_90,
    {{{{ garwood_upper('x', 'n', 0.9) }}}} as rate_upper_90,
    {{{{ byar_lower('x', 'n') }}}} as byar_lower,
    {{{{ byar_upper('x', 'n') }}}} as byar_upper,
    {{{{ byar_lower('x', 'n', 0.998) }}}} as byar_lower_998
from counts
"""

SIZES = [1, 2, 3, 20, 206, 1_000, 1_779, 1_985, 5_000]
COUNTS = sorted({(x, n) for n in SIZES for x in (0, 1, 2, n // 3, n // 2, n - 1, n) if x <= n})
IMPOSSIBLE = ["(0, 0)", "(3, 0)", "(null, 10)", "(2, null)", "(-1, 10)", "(2, -5)", "(7, 5)"]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of every macro, built as the model stage builds: with the project's own profile and plugin."""
    folder = tmp_path_factory.mktemp("macros")
    project = {
        "name": "statistics_macros",
        "profile": "clinic_outcomes",
        "macro-paths": [str(DBT_PROJECT / "macros")],
        "models": {"+materialized": "table"},
        "flags": {"send_anonymous_usage_stats": False},
    }
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
    (folder / "models").mkdir()
    (folder / "models" / "computed.sql").write_text(MODEL.format(low=LOW, high=HIGH), encoding="utf-8")
    values = ", ".join([str(pair) for pair in COUNTS] + IMPOSSIBLE)
    (folder / "models" / "exact.sql").write_text(EXACT.format(counts=values), encoding="utf-8")
    environment = os.environ | {
        "CLINIC_OUTCOMES_WAREHOUSE": str(folder / "computed.duckdb"),
        "CLINIC_OUTCOMES_SCRATCH": str(folder / "scratch"),
    }
    dbt = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--no-version-check", "--log-path", str(folder)]
    run = subprocess.run(
        [*dbt, "build", "--project-dir", str(folder), "--profiles-dir", str(DBT_PROJECT)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    return folder / "computed.duckdb"


def rows_of(warehouse: Path, model: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(f"FROM {model}")
        names = [column[0] for column in rows.description]
        return [dict(zip(names, values, strict=True)) for values in rows.fetchall()]


@pytest.fixture(scope="module")
def computed(warehouse: Path) -> dict[str, Any]:
    [row] = rows_of(warehouse, "computed")
    return row


@pytest.fixture(scope="module")
def exact(warehouse: Path) -> dict[tuple[int | None, int | None], dict[str, Any]]:
    return {(row["x"], row["n"]): row for row in rows_of(warehouse, "exact")}


def close(expected: object) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_means(computed: dict[str, Any]) -> None:
    low, high = DescrStatsW(LOW), DescrStatsW(HIGH)
    assert computed["sd_1"] == close(stats.tstd(LOW))
    assert computed["sd_2"] == close(stats.tstd(HIGH))
    assert computed["mean_lower"] == close(low.tconfint_mean()[0])
    assert computed["mean_upper"] == close(low.tconfint_mean(0.002)[1])
    assert (computed["welch_lower"], computed["welch_upper"]) == close(
        CompareMeans(low, high).tconfint_diff(usevar="unequal")
    )
    assert computed["welch_df"] == close(stats.ttest_ind(LOW, HIGH, equal_var=False).df)
    assert computed["welch_df_without_spread"] == 7


def test_a_standard_deviation_keeps_its_digits(computed: dict[str, Any]) -> None:
    """10,000,000 and a ten-thousandth more and twice as much: SD 0.0001, where sums of doubles would give 0."""
    assert computed["sd_of_large"] == close(0.0001)


def test_effect_sizes(computed: dict[str, Any]) -> None:
    groups = [Group(len(scores), math.fsum(scores) / len(scores), float(stats.tstd(scores))) for scores in (LOW, HIGH)]
    expected = cohens_d(*groups)
    assert (computed["d"], computed["d_lower"], computed["d_upper"]) == close(
        (expected.value, expected.lower, expected.upper)
    )
    assert computed["g"] == close(hedges_g(*groups).value)


def test_shares(computed: dict[str, Any]) -> None:
    assert computed["wilson_lower"] == close(proportion_confint(10, 15, method="wilson")[0])
    assert computed["wilson_upper"] == close(proportion_confint(10, 15, 0.002, method="wilson")[1])
    assert computed["wilson_of_none"] == 0.0
    assert computed["wilson_of_all"] == 1.0


def test_quantiles(computed: dict[str, Any]) -> None:
    assert computed["chi_square"] == close(stats.chi2.ppf(0.975, 8))
    assert computed["beta"] == close(stats.beta.ppf(0.025, 3, 13))


@pytest.mark.parametrize("column", ["sd_of_one", "sd_of_none", "mean_of_one", "d_without_spread", "wilson_of_nobody"])
def test_what_cannot_be_computed_is_null(computed: dict[str, Any], column: str) -> None:
    assert computed[column] is None


@pytest.mark.parametrize(("x", "n"), COUNTS)
def test_exact_intervals(exact: dict[tuple[int, int], dict[str, Any]], x: int, n: int) -> None:
    row = exact[x, n]
    assert (row["share_lower"], row["share_upper"]) == close(proportion_confint(x, n, method="beta"))
    assert (row["share_lower_90"], row["share_upper_90"]) == close(proportion_confint(x, n, 0.1, method="beta"))
    lower, upper = confint_poisson(x, n, method="exact-c")
    assert (row["rate_lower"], row["rate_upper"]) == close((0.0 if x == 0 else lower, upper))
    lower, upper = confint_poisson(x, n, method="exact-c", alpha=0.1)
    assert (row["rate_lower_90"], row["rate_upper_90"]) == close((0.0 if x == 0 else lower, upper))
    # Nothing seen in n at a share q happens with probability (1 - q)^n, here 1 in 20.
    assert (1 - row["none_upper"]) ** n == pytest.approx(0.05, rel=1e-9)
    assert (row["byar_lower"], row["byar_upper"]) == close(byar_interval(x, n))
    assert row["byar_lower_998"] == close(byar_interval(x, n, 0.998)[0])
    assert min(value for value in row.values()) >= 0


@pytest.mark.parametrize(("x", "n"), [(0, 0), (3, 0), (None, 10), (2, None), (-1, 10), (2, -5)])
def test_what_is_not_estimable_is_null(
    exact: dict[tuple[int | None, int | None], dict[str, Any]], x: int | None, n: int | None
) -> None:
    row = exact[x, n]
    assert {value for name, value in row.items() if name not in ("x", "n", "none_upper")} == {None}
    assert (row["none_upper"] is None) == (n is None or n <= 0)


def test_more_than_the_denominator_is_no_share(exact: dict[tuple[int, int], dict[str, Any]]) -> None:
    assert (exact[7, 5]["share_lower"], exact[7, 5]["share_upper"]) == (None, None)
    assert exact[7, 5]["rate_lower"] == close(confint_poisson(7, 5, method="exact-c")[0])


def test_functions_give_null_for_null_and_outside_their_domain() -> None:
    with duckdb.connect() as connection:
        register_functions(connection)
        result = connection.cursor().execute(
            "SELECT normal_quantile(NULL), student_t_quantile(0.975, NULL), student_t_quantile(0.975, 0), "
            "beta_quantile(0.5, NULL, 1), chi_square_quantile(2, 1), normal_quantile(0.975)"
        )
        assert result.fetchall() == [(None, None, None, None, None, close(stats.norm.ppf(0.975)))]
