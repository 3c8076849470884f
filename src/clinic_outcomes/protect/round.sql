-- What is shown of the figures that may be: rounded half up, in whole numbers throughout, so that no result depends
-- on floating point. Means are scaled by 10,000, the four decimals of an exact numerator; values of life
-- tables and models by 1,000,000, the six decimals of an exact value.
CREATE TEMP MACRO floor_divide(dividend, divisor) AS (
    dividend // divisor - CASE WHEN dividend % divisor < 0 THEN 1 ELSE 0 END
);
CREATE TEMP MACRO round_half_up(dividend, divisor) AS floor_divide(2 * dividend + divisor, 2 * divisor);

CREATE TEMP TABLE released AS
WITH rounded AS (
    SELECT
        judged.figure_id,
        CASE
            WHEN judged.figure_type = 'count'
                THEN round_half_up(judged.numerator::HUGEINT, policy.count_base) * policy.count_base
            WHEN judged.figure_type = 'rate' AND dim_measures.contributors = 'row'
                THEN list_max(list_filter(
                    policy.row_bands[:-2],
                    lambda edge: 100 * judged.numerator >= edge * judged.denominator
                ))
            WHEN judged.figure_type = 'rate'
                THEN round_half_up(
                    100 * judged.numerator::HUGEINT, judged.denominator::HUGEINT * policy.rate_percent
                ) * policy.rate_percent
            WHEN judged.figure_type = 'mean'
                THEN (
                    round_half_up(
                        (judged.numerator * 10000)::HUGEINT,
                        (unit_step.step * 10000)::HUGEINT * judged.denominator
                    ) * unit_step.step
                )
            WHEN judged.figure_type = 'life_table_row'
                THEN round_half_up(
                    100 * (judged.value * 1000000)::HUGEINT, 1000000 * policy.life_table_percent
                ) * policy.life_table_percent
            WHEN judged.figure_type = 'model_value'
                THEN round_half_up(
                    (judged.value * 1000000)::HUGEINT, (unit_step.step * 1000000)::HUGEINT
                ) * unit_step.step
        END AS shown_value,
        round_half_up(judged.denominator::HUGEINT, policy.count_base) * policy.count_base AS shown_denominator
    FROM judged
    INNER JOIN dim_measures USING (measure)
    CROSS JOIN policy
    LEFT JOIN unit_step ON judged.figure_type = unit_step.figure_type AND dim_measures.unit = unit_step.unit
    WHERE judged.shown
)

SELECT
    judged.figure_id,
    judged.measure,
    judged.figure_type,
    judged.clinic_id,
    judged.dimension,
    judged.category,
    CASE WHEN judged.shown THEN 'shown' ELSE 'withheld' END AS status,
    rounded.shown_value::DECIMAL(18, 4) AS shown_value,
    -- Only of a share given in bands: the true one lies from shown_value to under this.
    CASE
        WHEN judged.figure_type = 'rate' AND dim_measures.contributors = 'row'
            THEN list_min(list_filter(policy.row_bands, lambda edge: edge > rounded.shown_value))
    END::DECIMAL(18, 4) AS shown_upper,
    rounded.shown_denominator::BIGINT AS shown_denominator
FROM judged
INNER JOIN dim_measures USING (measure)
CROSS JOIN policy
LEFT JOIN rounded USING (figure_id)
ORDER BY judged.figure_id;
