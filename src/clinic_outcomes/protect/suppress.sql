-- Which figures may be shown, each judged by itself and by its numerator: one row per figure, `shown` is never null.
-- Reads the tables policy (one row), mean_step, numerator_count, agg_figures and dim_measures.
CREATE TEMP TABLE judged AS
WITH figure AS (
    SELECT
        agg_figures.*,
        dim_measures.unit,
        dim_measures.contributors = 'row' AS is_of_rows,
        agg_figures.denominator - agg_figures.numerator AS remainder
    FROM agg_figures
    INNER JOIN dim_measures USING (measure)
),

rules AS (
    SELECT
        figure.figure_id,
        -- Rows of organisations and sites have no patient behind them; all else says how many it has, or is nought.
        CASE
            WHEN figure.patients > 0 THEN figure.patients >= policy.smallest_count
            WHEN figure.is_of_rows THEN TRUE
            WHEN figure.figure_type = 'mean' THEN mean_step.sum_is_a_count AND figure.numerator = 0
            ELSE figure.numerator = 0
        END AS enough_patients,
        CASE
            WHEN figure.clinic_id <> 'network' THEN TRUE
            WHEN figure.clinics > 0 THEN figure.clinics >= policy.smallest_clinics
            ELSE figure.numerator = 0
        END AS enough_clinics,
        CASE
            WHEN figure.figure_type = 'count'
                THEN figure.numerator = 0 OR figure.numerator >= policy.smallest_count
            WHEN figure.figure_type = 'rate' AND figure.is_of_rows
                THEN figure.denominator >= policy.smallest_row_denominator
            WHEN figure.figure_type = 'rate'
                THEN
                    figure.denominator >= policy.smallest_rate_denominator
                    AND (figure.numerator = 0 OR figure.numerator >= policy.smallest_count)
                    AND (figure.remainder = 0 OR figure.remainder >= policy.smallest_count)
            WHEN figure.figure_type = 'mean'
                THEN
                    figure.denominator >= policy.smallest_mean_denominator
                    AND (
                        NOT mean_step.sum_is_a_count
                        OR figure.numerator = 0
                        OR figure.numerator >= policy.smallest_count
                    )
        END AS enough_of_its_type
    FROM figure
    CROSS JOIN policy
    LEFT JOIN mean_step ON figure.unit = mean_step.unit
),

alone AS (
    SELECT
        agg_figures.*,
        coalesce(rules.enough_patients AND rules.enough_clinics AND rules.enough_of_its_type, FALSE) AS shown
    FROM agg_figures
    INNER JOIN rules USING (figure_id)
)

SELECT alone.* REPLACE (alone.shown AND coalesce(counted.shown, TRUE) AS shown)
FROM alone
LEFT JOIN numerator_count USING (measure)
LEFT JOIN alone AS counted
    ON
        numerator_count.count_measure = counted.measure
        AND alone.clinic_id = counted.clinic_id
        AND alone.dimension = counted.dimension
        AND alone.category = counted.category;
