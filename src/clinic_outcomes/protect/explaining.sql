-- What there is to say of figures: which counts each is made of, and what withheld small counts lie near to a figure.
--
-- Reads the views figures (as released), reasons, agg_figures, agg_figure_cells, agg_cells, agg_relations and
-- dim_measures, and explain_policy (one row).
CREATE TEMP TABLE explained AS
SELECT
    agg_figures.figure_id,
    agg_figures.figure_type,
    agg_figures.figure_type = 'rate' AND dim_measures.contributors = 'row' AS is_banded,
    coalesce(figures.status, 'not told') AS status,
    reasons.reason,
    coalesce(reasons.detail, '') AS detail,
    figures.repeats
FROM agg_figures
INNER JOIN dim_measures USING (measure)
INNER JOIN reasons USING (figure_id)
LEFT JOIN figures USING (figure_id);

CREATE TEMP TABLE counted AS
SELECT
    concat_ws('/', count_id, clinic_id, dimension, category) AS name,
    count_id,
    clinic_id,
    dimension,
    category,
    value,
    is_count
FROM agg_cells;

CREATE TEMP TABLE made_of AS
SELECT
    agg_figure_cells.figure_id,
    agg_figure_cells.role,
    counted.name,
    counted.value,
    counted.is_count
FROM agg_figure_cells
INNER JOIN counted USING (count_id, clinic_id, dimension, category);

-- What a shown figure is made of is known, unless it repeats what it showed of earlier counts.
CREATE TEMP TABLE small_hidden AS
SELECT DISTINCT made_of.name
FROM made_of
INNER JOIN explained USING (figure_id)
CROSS JOIN explain_policy
WHERE
    explained.status = 'withheld'
    AND made_of.is_count
    AND made_of.value BETWEEN 1 AND explain_policy.smallest_shown - 1
    AND made_of.name NOT IN (
        SELECT known.name
        FROM made_of AS known
        INNER JOIN explained AS shown USING (figure_id)
        WHERE shown.status = 'shown' AND shown.repeats IS NULL
    );

CREATE TEMP TABLE relation_cell AS
SELECT DISTINCT
    agg_relations.relation_id,
    counted.name
FROM agg_relations
INNER JOIN counted USING (count_id, clinic_id, dimension, category);

-- So many relations away from a figure, nought being what it is made of itself.
CREATE TEMP MACRO near_small(asked) AS TABLE (
    WITH RECURSIVE reached AS (
        SELECT
            name,
            0 AS relations
        FROM made_of
        WHERE figure_id = asked
        UNION
        SELECT
            other.name,
            reached.relations + 1 AS relations
        FROM reached
        INNER JOIN relation_cell AS one ON reached.name = one.name
        INNER JOIN relation_cell AS other ON one.relation_id = other.relation_id
        WHERE reached.relations < 2
    )

    SELECT
        reached.name,
        min(reached.relations) AS relations,
        list(DISTINCT explained.figure_id ORDER BY explained.figure_id) AS figures
    FROM reached
    SEMI JOIN small_hidden ON reached.name = small_hidden.name
    INNER JOIN made_of ON reached.name = made_of.name
    INNER JOIN explained ON made_of.figure_id = explained.figure_id AND explained.status = 'withheld'
    GROUP BY reached.name
);
