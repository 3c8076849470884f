-- Cells of today that came too near to what was shown of them before: told again, the two numbers would tell of the
-- one to twelve people between them. Every vintage ever shown counts, for nobody forgets a report.
--
-- Reads agg_cells (today's), register_cells (those of each release) and refresh_rules (one row). A cell is a count of a
-- clinic or of the network; clinics that have no cell of a count contribute nothing to it.
CREATE OR REPLACE TEMP TABLE near_cell AS
WITH today AS (
    SELECT count_id, clinic_id, dimension, category, value
    FROM agg_cells
    WHERE is_count
),

told AS (
    SELECT
        vintage.entry,
        today.count_id,
        today.clinic_id,
        today.dimension,
        today.category,
        today.value - vintage.value AS change
    FROM register_cells AS vintage
    INNER JOIN today
        ON
            vintage.count_id = today.count_id
            AND vintage.clinic_id = today.clinic_id
            AND vintage.dimension = today.dimension
            AND vintage.category = today.category
    WHERE vintage.was_shown
),

near_by_itself AS (
    SELECT told.*
    FROM told
    CROSS JOIN refresh_rules
    WHERE told.change <> 0 AND abs(told.change) < refresh_rules.smallest_change
),

-- What is known to a clinic is its own part, in each vintage: it subtracts it from what it reads of the network.
network AS MATERIALIZED (
    SELECT told.*
    FROM told
    ANTI JOIN near_by_itself USING (count_id, clinic_id, dimension, category)
    WHERE told.clinic_id = 'network'
),

part AS (
    SELECT
        network.entry,
        network.count_id,
        network.dimension,
        network.category,
        network.change AS network_change,
        today.clinic_id,
        today.value AS added
    FROM network
    INNER JOIN today
        ON
            network.count_id = today.count_id
            AND network.dimension = today.dimension
            AND network.category = today.category
    WHERE today.clinic_id <> 'network'
    UNION ALL
    SELECT
        network.entry,
        network.count_id,
        network.dimension,
        network.category,
        network.change AS network_change,
        vintage.clinic_id,
        -vintage.value AS added
    FROM network
    INNER JOIN register_cells AS vintage
        ON
            network.entry = vintage.entry
            AND network.count_id = vintage.count_id
            AND network.dimension = vintage.dimension
            AND network.category = vintage.category
    WHERE vintage.clinic_id <> 'network'
),

-- A clinic whose part did not change takes nothing away from the change: left out, it is among the clinics below.
clinic_change AS MATERIALIZED (
    SELECT
        entry,
        count_id,
        dimension,
        category,
        network_change,
        clinic_id,
        sum(added) AS change
    FROM part
    GROUP BY entry, count_id, dimension, category, network_change, clinic_id
    HAVING sum(added) <> 0
),

rest AS (
    SELECT
        count_id,
        dimension,
        category,
        network_change - change AS change
    FROM clinic_change
    UNION ALL
    SELECT
        one.count_id,
        one.dimension,
        one.category,
        one.network_change - one.change - other.change AS change
    FROM clinic_change AS one
    INNER JOIN clinic_change AS other
        ON
            one.entry = other.entry
            AND one.count_id = other.count_id
            AND one.dimension = other.dimension
            AND one.category = other.category
            AND one.clinic_id < other.clinic_id
    CROSS JOIN refresh_rules
    WHERE refresh_rules.pairs_attack
),

near_without_clinics AS (
    SELECT rest.*
    FROM rest
    CROSS JOIN refresh_rules
    WHERE rest.change <> 0 AND abs(rest.change) < refresh_rules.smallest_change
)

SELECT
    count_id,
    clinic_id,
    dimension,
    category
FROM near_by_itself
UNION
SELECT
    count_id,
    'network' AS clinic_id,
    dimension,
    category
FROM near_without_clinics;
