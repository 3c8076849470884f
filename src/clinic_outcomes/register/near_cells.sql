-- Cells of today that came too near to what was shown of them before: told again, the two numbers would tell of the
-- one to twelve people between them. Every vintage ever shown counts, for nobody forgets a report.
--
-- Reads agg_cells, agg_figure_cells and dim_counts (today's), register_cells (counts of each release), register_told (the
-- cells of what each release showed anew) and refresh_rules (one row). Texts are compared by their keys. Clinics that have
-- no cell of a count contribute nothing to it.
CREATE OR REPLACE TEMP TABLE today_cell AS
SELECT
    agg_cells.count_id,
    agg_cells.clinic_id,
    agg_cells.dimension,
    agg_cells.category,
    agg_cells.value,
    text_key([agg_cells.count_id, agg_cells.clinic_id, agg_cells.dimension, agg_cells.category]) AS cell,
    -- A count of the network is called otherwise than its clinics' where not all of them tell of it.
    text_key([
        CASE WHEN agg_cells.clinic_id = 'network' THEN coalesce(counts.count_id, agg_cells.count_id)
        ELSE agg_cells.count_id END,
        agg_cells.dimension,
        agg_cells.category
    ]) AS part
FROM agg_cells
LEFT JOIN (SELECT DISTINCT network_count_id, count_id FROM dim_counts) AS counts
    ON agg_cells.count_id = counts.network_count_id
WHERE agg_cells.is_count;

CREATE OR REPLACE TEMP TABLE today_figure_cell AS
SELECT
    agg_figure_cells.figure_id,
    agg_figure_cells.role,
    text_key([agg_figure_cells.figure_id, agg_figure_cells.role]) AS figure_role,
    today_cell.*
FROM agg_figure_cells
INNER JOIN today_cell USING (count_id, clinic_id, dimension, category);

CREATE OR REPLACE TEMP TABLE near_cell AS
-- When a clinic joins that tells of one measure and not of another, a count of the network may get another name: what a
-- figure is made of today is what it was made of.
WITH same AS (
    SELECT
        told.entry,
        told.cell AS then_cell,
        today.cell
    FROM today_figure_cell AS today
    INNER JOIN register_told AS told USING (figure_role)
    UNION
    SELECT
        entry,
        cell AS then_cell,
        cell
    FROM register_told
),

vintage AS (
    SELECT
        same.entry,
        same.cell,
        today.part,
        register_cells.part AS then_part,
        today.clinic_id = 'network' AS is_of_network,
        today.value - register_cells.value AS change
    FROM same
    INNER JOIN today_cell AS today USING (cell)
    INNER JOIN register_cells ON same.entry = register_cells.entry AND same.then_cell = register_cells.cell
),

near_by_itself AS MATERIALIZED (
    SELECT DISTINCT vintage.cell
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
    ANTI JOIN near_by_itself USING (cell)
    CROSS JOIN refresh_rules
    WHERE vintage.is_of_network AND refresh_rules.known_clinics > 0
),

part AS (
    SELECT
        network.number,
        network.change AS network_change,
        today.clinic_id,
        today.value AS added
    FROM network
    INNER JOIN today_cell AS today USING (part)
    WHERE today.clinic_id <> 'network'
    UNION ALL
    SELECT
        network.number,
        network.change AS network_change,
        register_cells.clinic_id,
        -register_cells.value AS added
    FROM network
    INNER JOIN register_cells ON network.entry = register_cells.entry AND network.then_part = register_cells.part
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
SELECT network.cell
FROM network
INNER JOIN near_without_clinics USING (number);
