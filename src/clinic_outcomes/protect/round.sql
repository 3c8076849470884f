-- What is shown of the figures that may be: rounded half up, in whole numbers throughout, so that no result depends
-- on floating point. Means are scaled by 10,000, the four decimals of an exact numerator; values of life
-- tables and models by 1,000,000, the six decimals of an exact value. Reads judged, and the macros made with it.
CREATE TEMP TABLE released AS
WITH rounded AS (
    SELECT
        judged.figure_id,
        CASE
            WHEN judged.figure_type = 'count'
                THEN round_half_up(judged.numerator::HUGEINT, judged.step::HUGEINT) * judged.step
            WHEN judged.figure_type = 'rate' AND dim_measures.contributors = 'row'
                THEN list_max(list_filter(
                    policy.row_bands[:-2],
                    lambda edge: 100 * judged.numerator >= edge * judged.denominator
                ))
            WHEN judged.figure_type = 'rate'
                THEN round_half_up(
                    100 * judged.numerator::HUGEINT, judged.denominator::HUGEINT * judged.step::HUGEINT
                ) * judged.step
            WHEN judged.figure_type = 'mean'
                THEN (
                    round_half_up(
                        (judged.numerator * 10000)::HUGEINT,
                        (judged.step * 10000)::HUGEINT * judged.denominator
                    ) * judged.step
                )
            WHEN judged.figure_type = 'life_table_row'
                THEN round_half_up(
                    100 * (judged.value * 1000000)::HUGEINT, 1000000 * judged.step::HUGEINT
                ) * judged.step
            WHEN judged.figure_type = 'model_value'
                THEN round_half_up(
                    (judged.value * 1000000)::HUGEINT, (judged.step * 1000000)::HUGEINT
                ) * judged.step
        END AS shown_value
    FROM judged
    INNER JOIN dim_measures USING (measure)
    CROSS JOIN policy
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
    CASE WHEN judged.shown THEN judged.step END::DECIMAL(18, 4) AS shown_step,
    CASE WHEN judged.shown THEN judged.shown_denominator END AS shown_denominator,
    -- The release whose number is shown again.
    NULL::INTEGER AS repeats
FROM judged
INNER JOIN dim_measures USING (measure)
CROSS JOIN policy
LEFT JOIN rounded USING (figure_id)
WHERE judged.reason <> 'not_told'
ORDER BY judged.figure_id;
