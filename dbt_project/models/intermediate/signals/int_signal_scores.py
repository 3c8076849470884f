import numpy as np

from clinic_outcomes.statistics.disproportionality import (
    FourFoldTable,
    exact_p_value,
    expected_events,
    false_discovery_adjusted,
    information_component,
    proportional_reporting_ratio,
    reporting_odds_ratio,
)
from clinic_outcomes.statistics.gamma_poisson import NoFitError, fit_prior, geometric_means, posterior_quantiles

KEYS = ("axis", "category", "term")
COUNTS = ("people_with_event", "people_treated", "elsewhere_with_event", "elsewhere_treated")
RATIOS = ("prr", "prr_lower", "prr_upper", "ror", "ror_lower", "ror_upper")
SCORES = ("expected", *RATIOS, "ic", "ic025", "ebgm", "eb05", "p_value", "adjusted_p_value")


def model(dbt, session):
    """Ratios, information component, shrunken ratios and p-values of each cell; not a number where there is none.

    Rounded to nine decimals, the shrunken ones to four, so that the last digits of one machine's arithmetic do not
    reach the marts.
    """
    dbt.config(materialized="table")
    cells = dbt.ref("int_signal_cells").order(", ".join(KEYS)).fetchnumpy()
    if len(cells["term"]) == 0:
        columns = [f"''::varchar as {name}" for name in KEYS] + [f"0.0::double as {name}" for name in SCORES]
        return session.sql(f"select {', '.join(columns)} limit 0")
    keys = {name: np.asarray(cells[name], dtype=object) for name in KEYS}
    tables = [FourFoldTable(*map(int, counts)) for counts in zip(*(cells[name] for name in COUNTS))]
    scores = {name: np.full(len(tables), np.nan) for name in SCORES}
    scores["expected"] = np.array([expected_events(table) for table in tables])
    scores["p_value"] = np.array([exact_p_value(table) for table in tables])
    components = [information_component(table.events, expected_events(table)) for table in tables]
    scores["ic"], scores["ic025"] = np.array(components).T
    for cell, table in enumerate(tables):
        ratios = (proportional_reporting_ratio(table), reporting_odds_ratio(table))
        values = [value for ratio in ratios if ratio for value in (ratio.value, ratio.lower, ratio.upper)]
        for name, value in zip(RATIOS, values):
            scores[name][cell] = value
    for axis in sorted(set(keys["axis"])):
        of_axis = keys["axis"] == axis
        scores["adjusted_p_value"][of_axis] = false_discovery_adjusted(scores["p_value"][of_axis])
        scores["ebgm"][of_axis], scores["eb05"][of_axis] = shrunken(
            np.array([table.events for table in tables])[of_axis],
            scores["expected"][of_axis],
            len(set(keys["category"][of_axis])),
        )
    decimals = {"ebgm": 4, "eb05": 4}
    return keys | {name: np.round(values, decimals.get(name, 9)) for name, values in scores.items()}


def shrunken(observed, expected, categories):
    """EBGM and EB05 of an axis. One category alone is as expected by definition, and too few cells carry no prior."""
    if categories < 2:
        return np.nan, np.nan
    try:
        prior = fit_prior(observed, expected)
    except NoFitError:
        return np.nan, np.nan
    return geometric_means(prior, observed, expected), posterior_quantiles(prior, observed, expected)
