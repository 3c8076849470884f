-- Cells of today that came too near to what was shown of them before: told again, the two numbers would tell of the
-- one to twelve people between them. Every vintage ever shown counts, for nobody forgets a report.
--
-- Reads agg_cells, agg_figure_cells and dim_counts (today's), register_cells (all counts of each release, with the count
-- that the clinics' parts of a network's have), register_told (the cells of what each release showed anew) and
-- refresh_rules (one row). Clinics that have no cell of a count contribute nothing to it.
CREATE OR REPLACE TEMP TABLE today_cell AS
SELECT
    agg_cells.count_id,
    agg_cells.clinic_id,
    agg_cells.dimension,
    agg_cells.category,
    agg_cells.value,
    CASE WHEN agg_cells.clinic_id = 'network' THEN counts.count_id ELSE agg_cells.count_id END AS part_count_id
FROM agg_cells
LEFT JOIN (SELECT DISTINCT network_count_id, count_id FROM dim_counts) AS counts
    ON agg_cells.count_id = counts.network_count_id
WHERE agg_cells.is_count;

CREATE OR REPLACE TEMP TABLE near_cell AS
-- A count of the network may be called otherwise than it was, when a clinic joins that tells of one measure and not of
-- another: what a figure is made of today is what it was made of.
WITH same AS (
    SELECT
        told.entry,
        told.count_id AS then_count_id,
        told.dimension AS then_dimension,
        told.category AS then_category,
        today.count_id,
        today.clinic_id,
        today.dimension,
        today.category
    FROM agg_figure_cells AS today
    INNER JOIN register_told AS told
        ON today.figure_id = told.figure_id AND today.role = told.role AND today.clinic_id = told.clinic_id
    UNION
    SELECT
        entry,
        count_id AS then_count_id,
        dimension AS then_dimension,
        category AS then_category,
        count_id,
        clinic_id,
        dimension,
        category
    FROM register_told
),

vintage AS (
    SELECT
        same.*,
        today.part_count_id,
        register_cells.part_count_id AS then_part_count_id,
        today.value - register_cells.value AS change
    FROM same
    INNER JOIN today_cell AS today USING (count_id, clinic_id, dimension, category)
    INNER JOIN register_cells
        ON
            same.entry = register_cells.entry
            AND same.then_count_id = register_cells.count_id
            AND same.clinic_id = register_cells.clinic_id
            AND same.then_dimension = register_cells.dimension
            AND same.then_category = register_cells.category
),

near_by_itself AS (
    SELECT DISTINCT
        vintage.count_id,
        vintage.clinic_id,
        vintage.dimension,
        vintage.category
    FROM vintage
    CROSS JOIN refresh_rules
    WHERE vintage.change <> 0 AND abs(vintage.change) < refresh_rules.smallest_change
),

-- What is known to a clinic is its own part, in each vintage: it takes it away from what it reads of the network.
network AS MATERIALIZED (
    SELECT
        vintage.*,
        row_number() OVER () AS number
    FROM vintage
    ANTI JOIN near_by_itself USING (count_id, clinic_id, dimension, category)
    CROSS JOIN refresh_rules
    WHERE vintage.clinic_id = 'network' AND refresh_rules.known_clinics > 0
),

part AS (
    SELECT
        network.number,
        network.change AS network_change,
        today.clinic_id,
        today.value AS added
    FROM network
    INNER JOIN today_cell AS today
        ON
            network.part_count_id = today.count_id
            AND network.dimension = today.dimension
            AND network.category = today.category
    WHERE today.clinic_id <> 'network'
    UNION ALL
    SELECT
        network.number,
        network.change AS network_change,
        register_cells.clinic_id,
        -register_cells.value AS added
    FROM network
    INNER JOIN register_cells
        ON
            network.entry = register_cells.entry
            AND network.then_part_count_id = register_cells.count_id
            AND network.then_dimension = register_cells.dimension
            AND network.then_category = register_cells.category
    WHERE register_cells.clinic_id <> 'network'
),

-- A clinic whose part did not change takes nothing away from the change: left out, it is among the clinics below.
clinic_change AS MATERIALIZED (
    SELECT
        number,
        network_change,
        clinic_id,
        sum(added)::BIGINT AS change
    FROM part
    GROUP BY number, network_change, clinic_id
    HAVING sum(added) <> 0
),

rest AS (
    SELECT
        number,
        network_change - change AS change
    FROM clinic_change
    UNION ALL
    SELECT
        one.number,
        one.network_change - one.change - other.change AS change
    FROM clinic_change AS one
    INNER JOIN clinic_change AS other ON one.number = other.number AND one.clinic_id < other.clinic_id
    CROSS JOIN refresh_rules
    WHERE refresh_rules.known_clinics > 1
),

near_without_clinics AS (
    SELECT DISTINCT rest.number
    FROM rest
    CROSS JOIN refresh_rules
    WHERE rest.change <> 0 AND abs(rest.change) < refresh_rules.smallest_change
)

FROM near_by_itself
UNION
SELECT
    network.count_id,
    network.clinic_id,
    network.dimension,
    network.category
FROM network
INNER JOIN near_without_clinics USING (number);
