-- Since which release each count is not known, to whoever read all releases: one row a count of today's or of earlier builds.
-- A count is known where a figure shown anew is made of it, and stays so while it does not change. `spare` is by how much all
-- releases of its stretch could have shown one less each, with one left over where there was any.
--
-- Reads today_cell (of near_cells.sql), told_now (the cells that this release tells anew), stretch_before (this table as it was
-- after the release before) and register_number (one row: the number of this release).
CREATE OR REPLACE TEMP TABLE stretch AS
WITH compared AS (
    SELECT
        today_cell.cell,
        today_cell.value,
        told_now.cell IS NOT NULL AS is_told,
        coalesce(stretch_before.is_known, FALSE) AS was_known,
        stretch_before.since AS since_before,
        stretch_before.spare AS spare_before,
        stretch_before.told AS told_before,
        coalesce(stretch_before.value = today_cell.value, FALSE) AS is_unchanged,
        greatest(today_cell.value - 1, 0) AS spare_today
    FROM today_cell
    LEFT JOIN told_now USING (cell)
    LEFT JOIN stretch_before USING (cell)
),

-- What was known until now becomes unknown with this release.
placed AS (
    SELECT
        compared.*,
        compared.is_told OR (compared.was_known AND compared.is_unchanged) AS is_known,
        CASE WHEN compared.was_known THEN register_number.number
        ELSE coalesce(compared.since_before, register_number.number) END AS since
    FROM compared
    CROSS JOIN register_number
)

SELECT
    cell,
    value,
    since,
    CASE WHEN was_known THEN spare_today ELSE least(coalesce(spare_before, spare_today), spare_today) END AS spare,
    CASE WHEN is_told THEN value ELSE told_before END AS told,
    is_known
FROM placed
UNION ALL
-- A clinic that has left may come back.
SELECT
    cell,
    value,
    since,
    spare,
    told,
    is_known
FROM stretch_before
ANTI JOIN today_cell USING (cell);
