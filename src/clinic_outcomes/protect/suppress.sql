-- Which figures may be shown: one row per figure, `shown` is never null. Each is judged by itself, and a row of a life
-- table also by the rows before it. Reads the tables policy (one row), unit_step, agg_figures and dim_measures.
--
-- Of a numerator the marts say how many patients and clinics have a part in it. Of what it leaves of the denominator they
-- say only how much: that the remainder of a network's rate is of one clinic, or that of a rate of sessions of one person,
-- is not seen here.
CREATE TEMP TABLE judged AS
WITH RECURSIVE figure AS (
    SELECT
        agg_figures.*,
        dim_measures.unit,
        dim_measures.contributors = 'row' AS is_of_rows,
        agg_figures.clinic_id = 'network' AS is_of_network,
        -- Measures of one life table tell the same quantity of an instrument, an interval each.
        CASE
            WHEN agg_figures.figure_type = 'life_table_row'
                THEN concat_ws('/', dim_measures.instrument, dim_measures.quantity)
        END AS life_table,
        dim_measures.interval_number
    FROM agg_figures
    INNER JOIN dim_measures USING (measure)
),

placed AS (
    SELECT
        *,
        row_number() OVER by_interval AS place,
        -- Those not in the numerator; in a life table, those at risk who had no event in this interval.
        CASE
            WHEN life_table IS NULL THEN denominator - numerator
            ELSE denominator - (numerator - coalesce(lag(numerator) OVER by_interval, 0))
        END AS remainder
    FROM figure
    WINDOW by_interval AS (PARTITION BY life_table, clinic_id, dimension, category ORDER BY interval_number)
),

rules AS (
    SELECT
        placed.*,
        -- Rows of deliveries have no patient behind them; all else says how many it has, or is a count of nought.
        CASE
            WHEN placed.patients > 0 THEN placed.patients >= policy.smallest_count
            WHEN placed.is_of_rows THEN TRUE
            ELSE placed.figure_type = 'count' AND placed.numerator = 0
        END AS enough_patients,
        CASE
            WHEN NOT placed.is_of_network THEN TRUE
            WHEN placed.clinics > 0 THEN placed.clinics >= policy.smallest_clinics
            ELSE placed.figure_type = 'count' AND placed.numerator = 0
        END AS enough_clinics,
        -- Thirteen events may be those of one person, and a network's numerator that of one clinic.
        CASE
            WHEN placed.figure_type = 'model_value' AND placed.numerator IS NULL THEN TRUE
            WHEN placed.numerator = 0 THEN TRUE
            ELSE
                (placed.is_of_rows OR placed.numerator_patients >= policy.smallest_count)
                AND (NOT placed.is_of_network OR placed.numerator_clinics >= policy.smallest_clinics)
        END AS enough_in_numerator,
        placed.numerator = 0 OR placed.numerator >= policy.smallest_count AS enough_counted,
        placed.remainder = 0 OR placed.remainder >= policy.smallest_count AS enough_left,
        CASE
            WHEN placed.figure_type = 'count' THEN enough_counted
            WHEN placed.figure_type = 'rate' AND placed.is_of_rows
                THEN placed.denominator >= policy.smallest_row_denominator
            WHEN placed.figure_type = 'rate'
                THEN placed.denominator >= policy.smallest_rate_denominator AND enough_counted AND enough_left
            WHEN placed.figure_type = 'mean'
                THEN
                    placed.denominator >= policy.smallest_mean_denominator
                    AND (NOT unit_step.sum_is_a_count OR enough_counted)
            WHEN placed.figure_type = 'life_table_row'
                THEN placed.denominator >= policy.smallest_at_risk AND enough_counted AND enough_left
            -- One without a value (more than half of the events have no end) is withheld: left out, it would tell that.
            WHEN placed.figure_type = 'model_value'
                THEN
                    placed.value IS NOT NULL
                    AND placed.denominator >= policy.smallest_model_denominator
                    AND (
                        placed.numerator IS NULL
                        OR (enough_counted AND (enough_left OR NOT unit_step.tells_remainder))
                    )
        END AS enough_of_its_type
    FROM placed
    CROSS JOIN policy
    LEFT JOIN unit_step ON placed.figure_type = unit_step.figure_type AND placed.unit = unit_step.unit
),

alone AS MATERIALIZED (
    SELECT
        *,
        coalesce(enough_patients AND enough_clinics AND enough_in_numerator AND enough_of_its_type, FALSE) AS shown
    FROM rules
),

-- Along each life table, the events up to the row last shown: the next row shown has as many, or enough more.
walked AS (
    SELECT
        figure_id,
        life_table,
        clinic_id,
        dimension,
        category,
        place,
        shown,
        CASE WHEN shown THEN numerator ELSE 0 END AS events_shown
    FROM alone
    WHERE life_table IS NOT NULL AND place = 1
    UNION ALL
    SELECT
        alone.figure_id,
        alone.life_table,
        alone.clinic_id,
        alone.dimension,
        alone.category,
        alone.place,
        alone.shown AND enough_between AS shown,
        CASE WHEN alone.shown AND enough_between THEN alone.numerator ELSE walked.events_shown END AS events_shown
    FROM walked
    INNER JOIN alone
        ON
            walked.life_table = alone.life_table
            AND walked.clinic_id = alone.clinic_id
            AND walked.dimension = alone.dimension
            AND walked.category = alone.category
            AND walked.place + 1 = alone.place
    CROSS JOIN (SELECT smallest_step FROM policy) AS policy
    CROSS JOIN LATERAL (
        SELECT
            alone.numerator = walked.events_shown
            OR alone.numerator >= walked.events_shown + policy.smallest_step AS enough_between
    ) AS step
)

SELECT
    agg_figures.*,
    CASE WHEN alone.life_table IS NULL THEN alone.shown ELSE walked.shown END AS shown
FROM agg_figures
INNER JOIN alone USING (figure_id)
LEFT JOIN walked USING (figure_id);
