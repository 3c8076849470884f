import numpy as np

from clinic_outcomes.statistics.logistic import NoFitError, fit_logistic, independent_columns

TERMS = (
    "intercept",
    "baseline_tens",
    "comorbid_depression",
    "comorbid_anxiety",
    "conditions_not_delivered",
    "one_prior_failure",
    "more_prior_failures",
    "prior_treatments_not_delivered",
)


def model(dbt, session):
    """Coefficients of the logistic regression of response over the network; none where the data cannot carry it.

    Rounded to ten decimals, far finer than anybody reads, so that the last digits of one machine's arithmetic do not
    reach the marts.
    """
    dbt.config(materialized="table")
    people = dbt.ref("int_risk_design").order("patient_key").fetchnumpy()
    design = np.column_stack([np.asarray(people[term], dtype=np.float64) for term in TERMS])
    try:
        columns = independent_columns(design)
        fit = fit_logistic(design[:, columns], np.asarray(people["response"], dtype=np.float64))
    except NoFitError:
        return session.sql("select '' as term, 0.0::double as coefficient, 0.0::double as standard_error limit 0")
    return {
        "term": np.array([TERMS[column] for column in columns], dtype=object),
        "coefficient": np.round(fit.coefficients, 10),
        "standard_error": np.round(fit.standard_errors, 10),
    }
