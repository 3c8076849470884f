-- What released figures say of the cells behind them, as an attacker would write it down. Reads the temp tables `figures`
-- (released files), `cells` (numbered), `figure_cells`, `measures`, and `policy` (one row). A figure says something of its
-- cells only where it is shown.
CREATE OR REPLACE TEMP TABLE numbered AS
SELECT
    figures.*,
    (row_number() OVER (ORDER BY figures.figure_id) - 1)::BIGINT AS figure
FROM figures;

CREATE OR REPLACE TEMP TABLE part AS
SELECT
    numbered.figure,
    figure_cells.cell,
    numbered.figure_type = 'count' AND figure_cells.role = 'numerator' AS is_counted
FROM numbered
INNER JOIN figure_cells USING (figure_id)
WHERE
    figure_cells.role NOT IN ('exposure', 'counted')
    -- A band says little of what is in it.
    AND (figure_cells.role = 'denominator' OR numbered.shown_upper IS NULL);

CREATE OR REPLACE TEMP TABLE shown AS
SELECT
    numbered.figure,
    numbered.figure_id,
    numbered.measure,
    numbered.figure_type,
    numbered.clinic_id,
    numbered.dimension,
    numbered.category,
    numbered.shown_value::DOUBLE AS value,
    numbered.shown_value::DOUBLE - coalesce(numbered.shown_step, 0)::DOUBLE / 2 AS value_lower,
    coalesce(numbered.shown_upper, numbered.shown_value + coalesce(numbered.shown_step, 0) / 2)::DOUBLE AS value_upper,
    numbered.shown_upper IS NOT NULL AS is_band,
    numbered.shown_denominator::DOUBLE AS denominator,
    measures.unit
FROM numbered
INNER JOIN measures USING (measure)
WHERE numbered.status = 'shown';

CREATE OR REPLACE TEMP TABLE shown_cell AS
SELECT
    shown.figure_id,
    figure_cells.role,
    figure_cells.cell
FROM shown
INNER JOIN figure_cells USING (figure_id);

-- Each row is a range that one shown figure gives one cell: a rounded count, the rounded denominator beside a value, or
-- the least that may be shown.
CREATE OR REPLACE TEMP TABLE range AS
WITH said AS (
    SELECT
        shown.figure,
        shown_cell.cell,
        CASE WHEN shown_cell.role = 'numerator' THEN shown.value ELSE shown.denominator END AS rounded
    FROM shown
    INNER JOIN shown_cell USING (figure_id)
    WHERE
        (shown.figure_type = 'count' AND shown_cell.role = 'numerator')
        OR (shown_cell.role = 'denominator' AND shown.denominator IS NOT NULL)
)

SELECT
    said.figure,
    said.cell,
    CASE
        WHEN said.rounded = 0 THEN 0
        ELSE greatest(policy.smallest_shown, said.rounded - policy.rounding_base // 2)
    END::DOUBLE AS lower,
    CASE WHEN said.rounded = 0 THEN 0 ELSE said.rounded + (policy.rounding_base - 1) // 2 END::DOUBLE AS upper
FROM said
CROSS JOIN policy
UNION ALL
-- What is in a share that is surely not of nothing, or not of all, is at least as much as may be shown.
SELECT
    shown.figure,
    shown_cell.cell,
    policy.smallest_shown::DOUBLE AS lower,
    'infinity'::DOUBLE AS upper
FROM shown
INNER JOIN shown_cell USING (figure_id)
CROSS JOIN policy
WHERE
    shown.figure_type = 'rate'
    AND NOT shown.is_band
    AND (
        (shown_cell.role = 'numerator' AND shown.value_lower > 0)
        OR (shown_cell.role = 'remainder' AND shown.value_upper < 100)
    );

-- Each row says that a numerator lies between `lower` and `upper` times a denominator: a share, a mean of a sum, a rate
-- of events. A share of nothing or of all is that exactly where thirteen would round to another.
CREATE OR REPLACE TEMP TABLE ratio AS
WITH parts AS (
    SELECT
        shown.*,
        numerators.cell AS numerator,
        coalesce(exposures.cell, denominators.cell) AS over,
        CASE
            WHEN shown.figure_type = 'mean' THEN 1
            -- Patient-years are counted in days.
            WHEN shown.unit LIKE '%per 100 patient-years' THEN 36525
            ELSE 100
        END AS scale,
        -- Of those events, the ones in the time that was watched: some may have happened outside.
        shown.unit = 'events per 100 patient-years' AS is_of_some
    FROM shown
    INNER JOIN shown_cell AS denominators
        ON shown.figure_id = denominators.figure_id AND denominators.role = 'denominator'
    LEFT JOIN shown_cell AS exposures ON shown.figure_id = exposures.figure_id AND exposures.role = 'exposure'
    INNER JOIN shown_cell AS numerators
        ON
            shown.figure_id = numerators.figure_id
            AND numerators.role = CASE
                WHEN shown.figure_type = 'model_value' AND shown.unit LIKE 'events per %' THEN 'counted' ELSE 'numerator'
            END
    WHERE shown.figure_type IN ('rate', 'mean') OR exposures.cell IS NOT NULL
)

SELECT
    parts.figure,
    parts.numerator,
    parts.over,
    CASE
        WHEN parts.figure_type = 'mean' THEN parts.value_lower
        WHEN parts.is_band THEN parts.value / parts.scale
        WHEN parts.figure_type = 'rate' AND certain.all THEN 1
        ELSE greatest(0, parts.value_lower / parts.scale)
    END AS lower,
    CASE
        WHEN parts.figure_type = 'rate' AND certain.none THEN 0
        WHEN parts.figure_type = 'rate' THEN least(1, parts.value_upper / parts.scale)
        WHEN parts.is_of_some THEN 'infinity'::DOUBLE
        ELSE parts.value_upper / parts.scale
    END AS upper
FROM parts
CROSS JOIN policy
CROSS JOIN LATERAL (
    SELECT
        NOT parts.is_band
        AND parts.value_lower <= 0
        AND 100 * policy.smallest_shown > parts.value_upper * (parts.denominator + policy.rounding_base) AS none,
        NOT parts.is_band
        AND parts.value_upper >= 100
        AND 100 * policy.smallest_shown
        > (100 - parts.value_lower) * (parts.denominator + policy.rounding_base) AS all
) AS certain;

-- Between two rows of a life table that are shown, and from the origin to the first: `events` lie between
-- `lower` times those at risk in the later row, of whom those lost from sight in it count half, and `upper` times those
-- at risk right after the earlier one. Lost from sight is who had no event and is not at risk in the next row.
CREATE OR REPLACE TEMP TABLE step AS
WITH placed AS (
    SELECT
        numbered.figure,
        numbered.figure_id,
        numbered.clinic_id,
        numbered.dimension,
        numbered.category,
        concat_ws('/', measures.instrument, measures.quantity) AS life_table,
        row_number() OVER by_interval AS place,
        events.cell AS events,
        at_risk.cell AS at_risk
    FROM numbered
    INNER JOIN measures USING (measure)
    INNER JOIN figure_cells AS events ON numbered.figure_id = events.figure_id AND events.role = 'numerator'
    INNER JOIN figure_cells AS at_risk ON numbered.figure_id = at_risk.figure_id AND at_risk.role = 'denominator'
    WHERE numbered.figure_type = 'life_table_row'
    WINDOW by_interval AS (
        PARTITION BY life_table, numbered.clinic_id, numbered.dimension, numbered.category
        ORDER BY measures.interval_number
    )
),

told AS (
    SELECT
        placed.*,
        shown.value_lower / 100 AS survival_lower,
        least(1, shown.value_upper / 100) AS survival_upper,
        lag(placed.figure) OVER by_place AS earlier_figure,
        lag(placed.events) OVER by_place AS earlier_events,
        coalesce(lag(placed.place) OVER by_place, 0) AS earlier_place,
        coalesce(lag(shown.value_lower / 100) OVER by_place, 1) AS earlier_lower,
        coalesce(lag(least(1, shown.value_upper / 100)) OVER by_place, 1) AS earlier_upper
    FROM placed
    INNER JOIN shown USING (figure_id)
    WINDOW by_place AS (
        PARTITION BY placed.life_table, placed.clinic_id, placed.dimension, placed.category ORDER BY placed.place
    )
)

SELECT
    told.figure,
    coalesce(told.earlier_figure, -1) AS other_figure,
    told.events,
    told.earlier_events,
    before.events AS events_before,
    told.at_risk AS at_risk_last,
    afterwards.at_risk AS at_risk_next,
    nexts.at_risk AS at_risk_first,
    greatest(0, 1 - told.survival_upper / told.earlier_lower) AS lower,
    least(1, 1 - told.survival_lower / told.earlier_upper) AS upper
FROM told
INNER JOIN placed AS nexts
    ON
        told.life_table = nexts.life_table
        AND told.clinic_id = nexts.clinic_id
        AND told.dimension = nexts.dimension
        AND told.category = nexts.category
        AND told.earlier_place + 1 = nexts.place
LEFT JOIN placed AS before
    ON
        told.life_table = before.life_table
        AND told.clinic_id = before.clinic_id
        AND told.dimension = before.dimension
        AND told.category = before.category
        AND told.place - 1 = before.place
LEFT JOIN placed AS afterwards
    ON
        told.life_table = afterwards.life_table
        AND told.clinic_id = afterwards.clinic_id
        AND told.dimension = afterwards.dimension
        AND told.category = afterwards.category
        AND told.place + 1 = afterwards.place
WHERE told.earlier_lower > 0;
