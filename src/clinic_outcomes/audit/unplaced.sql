-- Figures of which it is not known what they say: they have no constraint for their type (bounds.sql), no measure, a cell
-- that is not known, a label that is not theirs in the marts, a number that is not as coarse as it says, or one though they are
-- withheld. Reads the views figures, policy, measures, agg_figures and agg_figure_cells, and figure_cells of cells.sql.
SELECT figures.figure_id
FROM figures
CROSS JOIN policy
LEFT JOIN measures USING (measure)
LEFT JOIN agg_figures AS exact ON figures.figure_id = exact.figure_id
LEFT JOIN (SELECT figure_id, count(*) AS cells FROM figure_cells GROUP BY figure_id) AS known
    ON figures.figure_id = known.figure_id
LEFT JOIN (SELECT figure_id, count(*) AS cells FROM agg_figure_cells GROUP BY figure_id) AS meant
    ON figures.figure_id = meant.figure_id
WHERE measures.measure IS NULL
    OR figures.figure_type NOT IN ('count', 'rate', 'mean', 'life_table_row', 'model_value')
    OR figures.figure_type IS DISTINCT FROM measures.figure_type
    OR (figures.measure, figures.clinic_id, figures.dimension, figures.category)
    IS DISTINCT FROM (exact.measure, exact.clinic_id, exact.dimension, exact.category)
    OR coalesce(known.cells, 0) < coalesce(meant.cells, 1)
    OR NOT coalesce(CASE figures.status
        WHEN 'shown' THEN
            figures.shown_value IS NOT NULL
            AND coalesce(figures.shown_denominator % policy.rounding_base = 0, TRUE)
            AND CASE
                WHEN figures.shown_upper IS NOT NULL THEN figures.shown_upper > figures.shown_value
                WHEN figures.figure_type = 'count'
                    THEN figures.shown_step = policy.rounding_base
                    AND figures.shown_value % policy.rounding_base = 0
                ELSE figures.shown_step > 0 AND figures.shown_value % figures.shown_step = 0
            END
        WHEN 'withheld' THEN
            coalesce(
                figures.shown_value, figures.shown_upper, figures.shown_step, figures.shown_denominator
            ) IS NULL
    END, FALSE)
UNION
SELECT figure_id FROM figures GROUP BY figure_id HAVING count(*) > 1
ORDER BY figure_id;
