-- The cells, numbered, and which of them each figure is made of: those of the figures in the view `figures`, shown or not.
-- Reads the views of the marts agg_cells, agg_contributions, agg_figure_cells, agg_relations, dim_counts and
-- dim_measures. What a rate per session or year counts is the numerator of its count.
CREATE OR REPLACE TEMP TABLE told AS
SELECT DISTINCT
    count_id,
    clinic_id,
    dimension,
    category
FROM agg_figure_cells
SEMI JOIN figures USING (figure_id);

CREATE OR REPLACE TEMP TABLE cells AS
SELECT
    (row_number() OVER (ORDER BY count_id, clinic_id, dimension, category) - 1)::BIGINT AS cell,
    concat_ws('/', count_id, clinic_id, dimension, category) AS name,
    count_id,
    clinic_id,
    dimension,
    category,
    value::DOUBLE AS value,
    is_count,
    -- Scores may fall and sum up to less than nought; time that was watched may not.
    CASE WHEN is_count OR count_id LIKE '%/exposure' THEN coalesce(history.least, 0) ELSE '-infinity'::DOUBLE END AS least,
    -- What no earlier release knows of became unknown in this one, after all others.
    coalesce(history.since, 1000000) AS since,
    history.told::DOUBLE AS told,
    coalesce(history.is_known, FALSE) AS is_known,
    clinic_id = 'network'
    AND count(*) OVER (PARTITION BY count_id, dimension, category) = 1 AS is_alone
FROM agg_cells
SEMI JOIN told USING (count_id, clinic_id, dimension, category)
LEFT JOIN history USING (count_id, clinic_id, dimension, category);

-- What each clinic has of each of the network's counts: it knows that much by itself.
CREATE OR REPLACE TEMP TABLE own AS
WITH part AS (
    -- Of what clinics add up to, by whatever name the network's count goes.
    SELECT
        whole.count_id,
        whole.dimension,
        whole.category,
        part.clinic_id,
        agg_cells.value
    FROM agg_relations AS whole
    INNER JOIN agg_relations AS part USING (relation_id)
    INNER JOIN agg_cells
        ON
            part.count_id = agg_cells.count_id
            AND part.clinic_id = agg_cells.clinic_id
            AND part.dimension = agg_cells.dimension
            AND part.category = agg_cells.category
    WHERE
        whole.comparison = '='
        AND whole.clinic_id = 'network'
        AND whole.coefficient < 0
        AND part.clinic_id <> 'network'
        AND part.coefficient > 0
    UNION ALL
    SELECT count_id, dimension, category, clinic_id, value FROM agg_contributions
)

SELECT
    cells.cell,
    part.clinic_id,
    sum(part.value)::DOUBLE AS value
FROM part
INNER JOIN cells USING (count_id, dimension, category)
WHERE cells.clinic_id = 'network' AND cells.is_count AND part.value > 0
GROUP BY cells.cell, part.clinic_id;

CREATE OR REPLACE TEMP TABLE figure_cells AS
SELECT
    agg_figure_cells.figure_id,
    agg_figure_cells.role,
    cells.cell
FROM agg_figure_cells
INNER JOIN cells USING (count_id, clinic_id, dimension, category)
UNION ALL
SELECT
    agg_figure_cells.figure_id,
    'counted' AS role,
    cells.cell
FROM agg_figure_cells
INNER JOIN agg_figures USING (figure_id)
INNER JOIN dim_measures USING (measure)
INNER JOIN dim_counts ON dim_measures.count_measure = dim_counts.measure AND dim_counts.role = 'numerator'
INNER JOIN cells
    ON
        dim_counts.count_id = cells.count_id
        AND agg_figures.clinic_id = cells.clinic_id
        AND agg_figures.dimension = cells.dimension
        AND agg_figures.category = cells.category
WHERE agg_figure_cells.role = 'exposure';

-- A part that is no cell of a released table is left out, for it is not below nought: the others are at most the whole then.
-- What is left of a relation without its whole, or without the part of a sum of scores, says nothing.
CREATE OR REPLACE TEMP TABLE relation_members AS
WITH member AS (
    SELECT
        agg_relations.*,
        cells.cell,
        agg_cells.is_count
    FROM agg_relations
    INNER JOIN agg_cells USING (count_id, clinic_id, dimension, category)
    LEFT JOIN cells USING (count_id, clinic_id, dimension, category)
),

relation AS (
    SELECT
        relation_id,
        CASE WHEN bool_and(cell IS NOT NULL) THEN min(comparison) ELSE '<=' END AS comparison,
        dense_rank() OVER (ORDER BY relation_id) - 1 AS relation
    FROM member
    GROUP BY relation_id
    HAVING bool_and(cell IS NOT NULL OR (coefficient > 0 AND is_count)) AND count(cell) > 1
)

SELECT
    relation.relation,
    relation.comparison,
    member.cell,
    member.coefficient
FROM member
INNER JOIN relation USING (relation_id)
WHERE member.cell IS NOT NULL;

-- Counts of the network that are the sum of cells of its clinics, with these.
CREATE OR REPLACE TEMP TABLE clinics_part AS
SELECT DISTINCT
    whole.cell AS whole,
    part.cell AS part
FROM relation_members AS whole
INNER JOIN cells AS whole_cell ON whole.cell = whole_cell.cell
INNER JOIN relation_members AS part ON whole.relation = part.relation
INNER JOIN cells AS part_cell ON part.cell = part_cell.cell
WHERE
    whole.comparison = '='
    AND whole.coefficient < 0
    AND whole_cell.clinic_id = 'network'
    AND part.coefficient > 0
    AND part_cell.clinic_id <> 'network';
