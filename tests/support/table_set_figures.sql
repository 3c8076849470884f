-- The exact numbers of some table sets, from what clinics have of each column: the table `part` (place, clinic, value,
-- people, set_name), `survival` of life tables, and `chosen`, what each set tells of (set_name, measure,
-- dimension). Reads what table_set_marts.sql made.
CREATE OR REPLACE TABLE agg_figure_cells AS
SELECT every_figure_cell.* EXCLUDE (set_name, measure, figure_dimension)
FROM every_figure_cell
INNER JOIN chosen
    ON
        every_figure_cell.set_name = chosen.set_name
        AND every_figure_cell.measure = chosen.measure
        AND every_figure_cell.figure_dimension = chosen.dimension;

CREATE OR REPLACE TABLE told_cell AS
SELECT DISTINCT count_id, clinic_id, dimension, category FROM agg_figure_cells;

CREATE OR REPLACE TABLE agg_relations AS
WITH member AS (
    SELECT every_relation.*, count(*) OVER (PARTITION BY relation_id) AS told
    FROM every_relation
    INNER JOIN told_cell USING (count_id, clinic_id, dimension, category)
)

SELECT * EXCLUDE (members, told) FROM member WHERE members = told;

CREATE OR REPLACE TABLE told AS
SELECT
    part_column.count_id,
    part_column.dimension,
    part.set_name || part_column.category AS category,
    part_column.is_count,
    part_column.contributors,
    clinic.clinic_id,
    part.value,
    part.people
FROM part
INNER JOIN part_column ON part.place = part_column.place
INNER JOIN clinic ON part.clinic = clinic.place;

CREATE OR REPLACE TABLE number AS
WITH largest AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY count_id, dimension, category ORDER BY abs(value) DESC) AS rank
    FROM told
)

SELECT
    count_id, 'network' AS clinic_id, dimension, category,
    any_value(is_count) AS is_count,
    any_value(contributors) AS contributors,
    sum(value)::BIGINT AS value,
    sum(people)::BIGINT AS people,
    count(*) FILTER (WHERE people > 0) AS clinics,
    max(abs(value)) AS largest,
    sum(abs(value)) FILTER (WHERE rank <= 2)::BIGINT AS two_largest
FROM largest
GROUP BY count_id, dimension, category
UNION ALL
SELECT
    count_id, clinic_id, dimension, category, is_count, contributors, value, people,
    (people > 0)::BIGINT, NULL, NULL
FROM told
WHERE dimension <> 'veteran';

CREATE OR REPLACE TABLE agg_contributions AS
SELECT count_id, dimension, category, clinic_id, value
FROM told
SEMI JOIN told_cell USING (count_id, dimension, category)
WHERE dimension = 'veteran';

CREATE OR REPLACE TABLE agg_cells AS
SELECT
    count_id, clinic_id, dimension, category,
    value::DECIMAL(18, 4) AS value,
    is_count, contributors,
    largest::DECIMAL(18, 4) AS largest,
    two_largest::DECIMAL(18, 4) AS two_largest
FROM number
INNER JOIN told_cell USING (count_id, clinic_id, dimension, category);

CREATE OR REPLACE TABLE agg_figures AS
WITH made AS (
    SELECT
        figure_part.measure,
        numbers.clinic_id,
        chosen.set_name,
        figure_part.dimension,
        chosen.set_name || figure_part.category AS category,
        figure_part.role,
        numbers.* EXCLUDE (count_id, clinic_id, dimension, category)
    FROM figure_part
    INNER JOIN chosen ON figure_part.measure = chosen.measure AND figure_part.dimension = chosen.dimension
    INNER JOIN number AS numbers
        ON
            figure_part.count_id = numbers.count_id
            AND figure_part.cell_dimension = numbers.dimension
            AND chosen.set_name || figure_part.cell_category = numbers.category
    WHERE figure_part.dimension <> 'veteran' OR numbers.clinic_id = 'network'
),

figure AS (
    SELECT
        measure, clinic_id, set_name, dimension, category,
        any_value(made) FILTER (WHERE role = 'numerator') AS numerator,
        any_value(made) FILTER (WHERE role = 'denominator') AS denominator,
        any_value(made) FILTER (WHERE role = 'remainder') AS remainder,
        any_value(made) FILTER (WHERE role = 'exposure') AS exposure
    FROM made
    GROUP BY ALL
)

SELECT
    concat_ws('/', figure.measure, figure.clinic_id, figure.dimension, figure.category) AS figure_id,
    figure.measure,
    dim_measures.figure_type,
    figure.clinic_id,
    figure.dimension,
    figure.category,
    figure.numerator.value::DECIMAL(18, 4) AS numerator,
    figure.denominator.value AS denominator,
    CASE dim_measures.figure_type
        WHEN 'count' THEN figure.numerator.value
        WHEN 'life_table_row' THEN survival.survival
        WHEN 'model_value' THEN 100 * counted.value / nullif(figure.exposure.value, 0)
        ELSE figure.numerator.value / nullif(figure.denominator.value, 0)
    END::DECIMAL(18, 6) AS value,
    CASE dim_measures.figure_type
        WHEN 'count' THEN figure.numerator.people ELSE figure.denominator.people
    END AS patients,
    CASE dim_measures.figure_type
        WHEN 'count' THEN figure.numerator.clinics ELSE figure.denominator.clinics
    END AS clinics,
    figure.numerator.people AS numerator_patients,
    figure.numerator.clinics AS numerator_clinics,
    figure.numerator.largest::DECIMAL(18, 4) AS numerator_largest,
    figure.numerator.two_largest::DECIMAL(18, 4) AS numerator_two_largest,
    figure.denominator.largest AS denominator_largest,
    figure.denominator.two_largest AS denominator_two_largest,
    figure.remainder.two_largest AS remainder_two_largest
FROM figure
INNER JOIN dim_measures USING (measure)
LEFT JOIN survival
    ON
        dim_measures.interval_number = survival.week
        AND figure.clinic_id = survival.clinic_id
        AND figure.set_name = survival.set_name
LEFT JOIN number AS counted
    ON
        dim_measures.count_measure = counted.count_id
        AND figure.clinic_id = counted.clinic_id
        AND figure.dimension = counted.dimension
        AND figure.category = counted.category;
