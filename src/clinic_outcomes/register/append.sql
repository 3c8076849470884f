-- What the entry of a release keeps beside the figures as released.
--
-- Reads released (today's figures), refresh (their plan), agg_figures (today's exact ones), today_figure_cell (of
-- near_cells.sql) and register_number (one row: the number of the entry that is being made).
CREATE OR REPLACE TEMP TABLE vintage AS
SELECT
    released.figure_id,
    refresh.action,
    refresh.numerator,
    refresh.denominator,
    refresh.value,
    CASE refresh.action WHEN 'refreshed' THEN register_number.number ELSE refresh.refreshed_in END AS refreshed_in
FROM released
INNER JOIN refresh USING (figure_id)
CROSS JOIN register_number
WHERE released.status = 'shown';

-- One row per figure of the build. The first numbers are those of its last refresh, empty where it is not shown; those
-- that were built are today's.
CREATE OR REPLACE TEMP TABLE exact AS
SELECT
    agg_figures.figure_id,
    vintage.numerator,
    vintage.denominator,
    vintage.value,
    vintage.refreshed_in,
    agg_figures.numerator AS built_numerator,
    agg_figures.denominator AS built_denominator,
    agg_figures.value AS built_value
FROM agg_figures
LEFT JOIN vintage USING (figure_id);

-- The cells of what is shown anew: from now on none of them may be told of again with another few people.
CREATE OR REPLACE TEMP TABLE told AS
SELECT today_figure_cell.* EXCLUDE (value)
FROM today_figure_cell
INNER JOIN vintage USING (figure_id)
WHERE vintage.action = 'refreshed';
