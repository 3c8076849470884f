-- Which figures may be shown, each judged by itself, and a row of a life table also by the rows before it: one row per
-- figure with `shown`, which is never null, `reason` (the first rule it breaks, or `shown`) and `detail` (all of them), and
-- the `step` it is rounded to. Reads the tables policy (one row), unit_rule, rounding_step, all_or_none, untold_line,
-- agg_figures and dim_measures. What figures reveal together is not judged here.
--
-- Of a numerator the marts say how many patients and clinics have a part in it, of what it leaves of the denominator only
-- how much, and of a network's rate the part of the two largest clinics: that the remainder of a rate of sessions is of one
-- person is not seen here. The sum of a mean is no count: that no clinic is nearly all of it is seen by its denominator.
CREATE TEMP MACRO floor_divide(dividend, divisor) AS (
    dividend // divisor - CASE WHEN dividend % divisor < 0 THEN 1 ELSE 0 END
);
CREATE TEMP MACRO round_half_up(dividend, divisor) AS floor_divide(2 * dividend + divisor, 2 * divisor);

CREATE TEMP TABLE judged AS
WITH RECURSIVE described AS (
    SELECT
        agg_figures.*,
        dim_measures.quantity,
        dim_measures.contributors = 'row' AS is_of_rows,
        agg_figures.figure_type = 'rate' AND dim_measures.contributors = 'row' AS is_banded,
        agg_figures.clinic_id = 'network' AS is_of_network,
        -- Measures of one life table tell the same quantity of an instrument, an interval each.
        CASE
            WHEN agg_figures.figure_type = 'life_table_row'
                THEN concat_ws('/', dim_measures.instrument, dim_measures.quantity)
        END AS life_table,
        dim_measures.interval_number,
        NOT EXISTS (
            FROM untold_line AS untold
            WHERE
                (untold.figures_of IS NULL OR (untold.figures_of = 'network') = (agg_figures.clinic_id = 'network'))
                AND (untold.sections IS NULL OR list_contains(untold.sections, dim_measures.section))
                AND (untold.dimensions IS NULL OR list_contains(untold.dimensions, agg_figures.dimension))
                AND (untold.time_points IS NULL OR list_contains(untold.time_points, coalesce(dim_measures.time_point, '')))
                AND (untold.quantities IS NULL OR list_contains(untold.quantities, dim_measures.quantity))
                AND (untold.measures IS NULL OR list_contains(untold.measures, agg_figures.measure))
        ) AS is_told,
        -- Whether the numerator is a count, and not a sum of scores or nothing; a band tells of no count.
        CASE agg_figures.figure_type
            WHEN 'mean' THEN unit_rule.sum_is_a_count
            WHEN 'model_value' THEN agg_figures.numerator IS NOT NULL
            ELSE NOT is_banded
        END AS counts_numerator,
        CASE agg_figures.figure_type
            WHEN 'rate' THEN NOT is_banded
            WHEN 'life_table_row' THEN TRUE
            WHEN 'model_value' THEN agg_figures.numerator IS NOT NULL AND unit_rule.tells_remainder
            ELSE FALSE
        END AS tells_remainder,
        CASE WHEN agg_figures.figure_type IN ('mean', 'model_value') THEN dim_measures.unit ELSE '' END AS unit,
        round_half_up(agg_figures.denominator::HUGEINT, policy.count_base) * policy.count_base AS shown_denominator
    FROM agg_figures
    INNER JOIN dim_measures USING (measure)
    LEFT JOIN unit_rule ON agg_figures.figure_type = unit_rule.figure_type AND dim_measures.unit = unit_rule.unit
    CROSS JOIN policy
),

placed AS (
    SELECT
        described.*,
        CASE WHEN NOT described.is_banded THEN rounding_step.step END AS step,
        row_number() OVER by_interval AS place,
        -- Those not in the numerator; in a life table, those at risk who had no event in this interval.
        CASE
            WHEN described.life_table IS NULL THEN described.denominator - described.numerator
            ELSE
                described.denominator
                - (described.numerator - coalesce(lag(described.numerator) OVER by_interval, 0))
        END AS remainder
    FROM described
    ASOF LEFT JOIN rounding_step
        ON
            described.figure_type = rounding_step.figure_type
            AND described.unit = rounding_step.unit
            AND coalesce(described.shown_denominator, 0) >= rounding_step.from_denominator
    WINDOW by_interval AS (
        PARTITION BY described.life_table, described.clinic_id, described.dimension, described.category
        ORDER BY described.interval_number
    )
),

measured AS (
    SELECT
        placed.*,
        -- What the two clinics with most of it, together, do not know of it.
        placed.numerator - placed.numerator_two_largest AS other_numerator,
        placed.denominator - placed.denominator_two_largest AS other_denominator,
        placed.remainder - placed.remainder_two_largest AS other_remainder,
        -- Whether it would be shown as a share of nobody or of everybody; of a curve, of those still without the event.
        CASE placed.figure_type
            WHEN 'rate' THEN 200 * placed.numerator < placed.step * placed.denominator
            WHEN 'life_table_row' THEN 200 * placed.value < placed.step
            ELSE placed.counts_numerator AND placed.numerator = 0
        END AS is_none,
        CASE placed.figure_type
            WHEN 'rate' THEN 200 * placed.remainder <= placed.step * placed.denominator
            WHEN 'life_table_row' THEN 200 * (1 - placed.value) <= placed.step
            ELSE placed.tells_remainder AND placed.remainder = 0
        END AS is_all
    FROM placed
),

-- Every rule: what it looks at, and whether it holds. One that nobody can answer does not.
rules AS (
    SELECT
        measured.*,
        [
            {
                'reason': 'not_told',
                'part': 'figure',
                'holds': measured.is_told
            },
            {
                'reason': 'no_value',
                'part': 'value',
                -- More than half of the events have no end: left out, the figure would tell that.
                'holds': measured.figure_type <> 'model_value' OR measured.value IS NOT NULL
            },
            {
                'reason': 'small_denominator',
                'part': 'denominator',
                'holds': CASE measured.figure_type
                    WHEN 'count' THEN TRUE
                    WHEN 'rate'
                        THEN
                            measured.denominator >= CASE
                                WHEN measured.is_banded THEN policy.smallest_row_denominator
                                ELSE policy.smallest_rate_denominator
                            END
                    WHEN 'mean' THEN measured.denominator >= policy.smallest_mean_denominator
                    WHEN 'life_table_row' THEN measured.denominator >= policy.smallest_at_risk
                    WHEN 'model_value' THEN measured.denominator >= policy.smallest_model_denominator
                END
            },
            {
                'reason': 'too_few_people',
                'part': 'patients',
                -- Rows of deliveries have no patient behind them; all else says how many, or is a count of nought.
                'holds': CASE
                    WHEN measured.patients > 0 THEN measured.patients >= policy.smallest_count
                    WHEN measured.is_of_rows THEN TRUE
                    ELSE measured.figure_type = 'count' AND measured.numerator = 0
                END
            },
            {
                'reason': 'too_few_people',
                'part': 'patients of the numerator',
                -- Thirteen events may be those of one person.
                'holds': measured.is_of_rows
                OR (measured.figure_type = 'model_value' AND measured.numerator IS NULL)
                OR measured.numerator = 0
                OR measured.numerator_patients >= policy.smallest_count
            },
            {
                'reason': 'too_few_people',
                'part': 'numerator',
                'holds': NOT measured.counts_numerator
                OR measured.numerator = 0
                OR measured.numerator >= policy.smallest_count
            },
            {
                'reason': 'too_few_people',
                'part': 'remainder',
                'holds': NOT measured.tells_remainder
                OR measured.remainder = 0
                OR measured.remainder >= policy.smallest_count
            },
            {
                'reason': 'too_few_clinics',
                'part': 'clinics',
                'holds': CASE
                    WHEN NOT measured.is_of_network THEN TRUE
                    WHEN measured.clinics > 0 THEN measured.clinics >= policy.smallest_clinics
                    ELSE measured.figure_type = 'count' AND measured.numerator = 0
                END
            },
            {
                'reason': 'too_few_clinics',
                'part': 'clinics of the numerator',
                'holds': NOT measured.is_of_network
                OR (measured.figure_type = 'model_value' AND measured.numerator IS NULL)
                OR measured.numerator = 0
                OR measured.numerator_clinics >= policy.smallest_clinics
            },
            {
                'reason': 'dominated',
                'part': 'numerator',
                'holds': NOT measured.is_of_network
                OR NOT (measured.counts_numerator OR measured.is_banded)
                OR measured.numerator = 0
                OR 100 * measured.numerator_largest <= policy.largest_share_percent * measured.numerator
            },
            {
                'reason': 'dominated',
                'part': 'denominator',
                'holds': NOT measured.is_of_network
                OR measured.figure_type = 'count'
                OR 100 * measured.denominator_largest <= policy.largest_share_percent * measured.denominator
            },
            {
                'reason': 'dominated',
                'part': 'numerator without the two largest',
                'holds': NOT measured.is_of_network
                OR NOT measured.counts_numerator
                OR measured.numerator = 0
                OR measured.other_numerator = 0
                OR measured.other_numerator >= policy.smallest_count
            },
            {
                'reason': 'dominated',
                'part': 'denominator without the two largest',
                'holds': NOT measured.is_of_network
                OR measured.figure_type = 'count'
                OR measured.other_denominator = 0
                OR measured.other_denominator >= policy.smallest_count
            },
            {
                'reason': 'dominated',
                'part': 'remainder without the two largest',
                'holds': NOT measured.is_of_network
                OR measured.figure_type <> 'rate'
                OR measured.is_banded
                OR measured.remainder = 0
                OR measured.other_remainder = 0
                OR measured.other_remainder >= policy.smallest_count
            },
            {
                'reason': 'all_or_none',
                'part': 'nobody',
                'holds': measured.figure_type = 'count'
                OR measured.is_banded
                OR NOT measured.is_none
                OR listed.none
            },
            {
                'reason': 'all_or_none',
                'part': 'everybody',
                'holds': NOT measured.tells_remainder OR NOT measured.is_all OR listed.all
            }
        ].list_filter(lambda rule: NOT coalesce(rule.holds, FALSE)) AS broken
    FROM measured
    CROSS JOIN policy
    CROSS JOIN LATERAL (
        SELECT
            coalesce(bool_or(all_or_none.shown = 'none'), FALSE) AS none,
            coalesce(bool_or(all_or_none.shown = 'all'), FALSE) AS "all"
        FROM all_or_none
        WHERE all_or_none.name = CASE all_or_none.kind
            WHEN 'measure' THEN measured.measure
            WHEN 'quantity' THEN measured.quantity
        END
    ) AS listed
),

alone AS MATERIALIZED (
    SELECT
        *,
        len(broken) = 0 AS shown
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
    CROSS JOIN (SELECT smallest_events_between FROM policy) AS policy
    CROSS JOIN LATERAL (
        SELECT
            alone.numerator = walked.events_shown
            OR alone.numerator >= walked.events_shown + policy.smallest_events_between AS enough_between
    ) AS step
)

SELECT
    agg_figures.*,
    alone.shown_denominator::BIGINT AS shown_denominator,
    alone.step,
    coalesce(walked.shown, alone.shown) AS shown,
    CASE
        WHEN NOT alone.shown THEN alone.broken[1].reason
        WHEN NOT walked.shown THEN 'few_events_between'
        ELSE 'shown'
    END AS reason,
    array_to_string([concat(rule.reason, ': ', rule.part) FOR rule IN alone.broken], '; ') AS detail
FROM agg_figures
INNER JOIN alone USING (figure_id)
LEFT JOIN walked USING (figure_id);
