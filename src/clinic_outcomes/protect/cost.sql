-- How much each figure would be missed: the product of the weights of the lines of the policy that apply to it.
-- Reads figures, measures and missed_line (the lines).
SELECT coalesce(product(missed.weight), 1)::DOUBLE AS cost
FROM figures
INNER JOIN measures USING (measure)
LEFT JOIN missed_line AS missed
    ON
        (missed.figures_of IS NULL OR (missed.figures_of = 'network') = (figures.clinic_id = 'network'))
        AND (missed.sections IS NULL OR list_contains(missed.sections, measures.section))
        AND (missed.dimensions IS NULL OR list_contains(missed.dimensions, figures.dimension))
        AND (missed.time_points IS NULL OR list_contains(missed.time_points, coalesce(measures.time_point, '')))
        AND (missed.quantities IS NULL OR list_contains(missed.quantities, measures.quantity))
        AND (missed.measures IS NULL OR list_contains(missed.measures, figures.measure))
GROUP BY figures.figure_id
ORDER BY figures.figure_id;
