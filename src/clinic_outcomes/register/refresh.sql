-- What each figure shows today: one row per figure of today's build or shown in an earlier release.
--
-- Reads agg_figures, today_figure_cell and near_cell (of near_cells.sql), register_figures (what was shown last, with the
-- exact values that it was made of) and refresh_usefulness.
CREATE OR REPLACE TEMP TABLE repeatable AS
-- A withdrawn release is not repeated; what it showed is known all the same, and counts among the vintages.
WITH last_shown AS (
    SELECT *
    FROM register_figures
    WHERE stands
    QUALIFY row_number() OVER (PARTITION BY figure_id ORDER BY entry DESC) = 1
),

tolerance AS (
    SELECT
        agg_figures.figure_id,
        max_by(refresh_usefulness.points, refresh_usefulness.smallest_denominator) AS points
    FROM agg_figures
    INNER JOIN refresh_usefulness ON agg_figures.denominator >= refresh_usefulness.smallest_denominator
    WHERE agg_figures.figure_type = 'rate'
    GROUP BY agg_figures.figure_id
)

SELECT
    last_shown.*,
    CASE
        -- Its clinic or measure is gone.
        WHEN agg_figures.figure_id IS NULL THEN FALSE
        WHEN agg_figures.figure_type <> 'rate' THEN TRUE
        -- A rate of nobody has no truth to be near to.
        WHEN agg_figures.value IS NULL THEN FALSE
        WHEN tolerance.points IS NULL THEN TRUE
        ELSE
            100 * agg_figures.value BETWEEN
            last_shown.shown_value - tolerance.points
            AND coalesce(last_shown.shown_upper, last_shown.shown_value) + tolerance.points
    END AS useful
FROM last_shown
LEFT JOIN agg_figures USING (figure_id)
LEFT JOIN tolerance USING (figure_id);

CREATE OR REPLACE TEMP TABLE refresh AS
WITH too_near AS (
    SELECT DISTINCT today_figure_cell.figure_id
    FROM today_figure_cell
    SEMI JOIN near_cell USING (cell)
),

decided AS (
    SELECT
        figure_id,
        CASE
            WHEN agg_figures.figure_id IS NULL THEN 'withheld'
            WHEN too_near.figure_id IS NULL THEN 'refreshed'
            WHEN repeatable.useful THEN 'repeated'
            ELSE 'withheld'
        END AS action
    FROM agg_figures
    FULL JOIN repeatable USING (figure_id)
    LEFT JOIN too_near USING (figure_id)
)

SELECT
    decided.figure_id,
    decided.action,
    CASE decided.action WHEN 'refreshed' THEN agg_figures.numerator WHEN 'repeated' THEN repeatable.numerator END
        AS numerator,
    CASE decided.action WHEN 'refreshed' THEN agg_figures.denominator WHEN 'repeated' THEN repeatable.denominator END
        AS denominator,
    CASE decided.action WHEN 'refreshed' THEN agg_figures.value WHEN 'repeated' THEN repeatable.value END AS value,
    CASE decided.action WHEN 'repeated' THEN repeatable.refreshed_in END AS refreshed_in
FROM decided
LEFT JOIN agg_figures USING (figure_id)
LEFT JOIN repeatable USING (figure_id);
