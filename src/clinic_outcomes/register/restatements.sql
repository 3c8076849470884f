-- Published numbers that differ from the number published last for the same figure: one row per figure.
--
-- Reads released (today's figures), vintage (the entry in which each shown figure was last refreshed), register_figures,
-- register_entry (number, release period, whether it was withdrawn) and register_delivery (the deliveries in use a release).
-- The entry that is being made is in the last two.
CREATE OR REPLACE TEMP TABLE restatement AS
WITH published AS (
    SELECT *
    FROM register_figures
    QUALIFY row_number() OVER (PARTITION BY figure_id ORDER BY entry DESC) = 1
),

differing AS (
    SELECT
        released.figure_id,
        released.measure,
        released.clinic_id,
        released.dimension,
        released.category,
        published.entry AS old_entry,
        published.shown_value AS old_value,
        published.shown_upper AS old_upper,
        published.shown_denominator AS old_denominator,
        released.shown_value AS new_value,
        released.shown_upper AS new_upper,
        released.shown_denominator AS new_denominator,
        published.refreshed_in AS old_vintage,
        vintage.refreshed_in AS new_vintage
    FROM released
    INNER JOIN published USING (figure_id)
    INNER JOIN vintage USING (figure_id)
    WHERE
        released.status = 'shown'
        AND (
            released.shown_value IS DISTINCT FROM published.shown_value
            OR released.shown_upper IS DISTINCT FROM published.shown_upper
            OR released.shown_denominator IS DISTINCT FROM published.shown_denominator
        )
),

-- Figures of one clinic and two vintages have the same causes.
comparison AS (
    SELECT DISTINCT
        old_vintage,
        new_vintage,
        clinic_id
    FROM differing
),

in_use AS (
    SELECT
        comparison.*,
        register_delivery.entry = comparison.new_vintage AS is_new,
        register_delivery.clinic_id || '/' || register_delivery.delivery_id AS delivery,
        register_delivery.reporting_period,
        register_delivery.restates_final
    FROM comparison
    INNER JOIN register_delivery
        ON
            register_delivery.entry IN (comparison.old_vintage, comparison.new_vintage)
            AND (comparison.clinic_id = 'network' OR register_delivery.clinic_id = comparison.clinic_id)
    WHERE comparison.old_vintage <> comparison.new_vintage
),

changed AS (
    SELECT
        old_vintage,
        new_vintage,
        clinic_id,
        delivery,
        bool_or(is_new) AS came,
        any_value(reporting_period) AS reporting_period,
        bool_or(restates_final) AS restates_final
    FROM in_use
    GROUP BY old_vintage, new_vintage, clinic_id, delivery
    HAVING count(*) = 1
),

cause AS (
    SELECT
        changed.old_vintage,
        changed.new_vintage,
        changed.clinic_id,
        bool_or(changed.reporting_period <= old.release_period OR (changed.came AND changed.restates_final))
            AS changes_the_past,
        coalesce(list(changed.delivery ORDER BY changed.delivery) FILTER (WHERE changed.came), []) AS deliveries,
        coalesce(list(changed.delivery ORDER BY changed.delivery) FILTER (WHERE NOT changed.came), [])
            AS deliveries_left_out
    FROM changed
    INNER JOIN register_entry AS old ON changed.old_vintage = old.number
    GROUP BY changed.old_vintage, changed.new_vintage, changed.clinic_id
)

SELECT
    differing.figure_id,
    differing.measure,
    differing.clinic_id,
    differing.dimension,
    differing.category,
    CASE
        WHEN cause.clinic_id IS NULL THEN 'method'
        WHEN cause.changes_the_past OR old.was_withdrawn OR old.release_period = new.release_period THEN 'restated'
        ELSE 'new data'
    END AS kind,
    differing.old_entry,
    old.release_period AS old_period,
    differing.old_value,
    differing.old_upper,
    differing.old_denominator,
    new.release_period AS new_period,
    differing.new_value,
    differing.new_upper,
    differing.new_denominator,
    coalesce(cause.deliveries, []) AS deliveries,
    coalesce(cause.deliveries_left_out, []) AS deliveries_left_out
FROM differing
INNER JOIN register_entry AS old ON differing.old_entry = old.number
INNER JOIN register_entry AS new ON new.is_new
LEFT JOIN cause
    ON
        differing.old_vintage = cause.old_vintage
        AND differing.new_vintage = cause.new_vintage
        AND differing.clinic_id = cause.clinic_id;
