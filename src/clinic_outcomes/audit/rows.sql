-- All constraints on several cells, as rows of a matrix: relations between cells, and what figures shown say. Rows of
-- figures carry the figure's number, -1 for none. Reads relation_members, ratio and step.
CREATE OR REPLACE TEMP TABLE attack_row AS
WITH attack AS (
    SELECT
        'relation' AS kind,
        relation AS place,
        -1 AS figure,
        -1 AS other_figure,
        min(CASE WHEN comparison = '=' THEN 0 ELSE '-infinity'::DOUBLE END) AS lower,
        0::DOUBLE AS upper
    FROM relation_members
    GROUP BY relation
    UNION ALL
    SELECT 'ratio_lower', figure, figure, -1, 0, 'infinity'::DOUBLE FROM ratio
    UNION ALL
    SELECT 'ratio_upper', figure, figure, -1, '-infinity'::DOUBLE, 0 FROM ratio WHERE isfinite(upper)
    UNION ALL
    SELECT 'step_lower', figure, figure, other_figure, 0, 'infinity'::DOUBLE FROM step
    UNION ALL
    SELECT 'step_upper', figure, figure, other_figure, '-infinity'::DOUBLE, 0 FROM step
)

SELECT
    *,
    row_number() OVER (ORDER BY kind, place) - 1 AS attack_row
FROM attack;

CREATE OR REPLACE TEMP TABLE attack_member AS
WITH member AS (
    SELECT 'relation' AS kind, relation AS place, cell, coefficient::DOUBLE AS coefficient FROM relation_members
    UNION ALL
    SELECT 'ratio_lower', figure, unnest([numerator, over]), unnest([1, -lower]) FROM ratio
    UNION ALL
    SELECT 'ratio_upper', figure, unnest([numerator, over]), unnest([1, -upper]) FROM ratio WHERE isfinite(upper)
    UNION ALL
    -- At risk are half of those who are at the beginning and half of those who are at the end or had an event.
    SELECT 'step_lower', figure, unnest([events, earlier_events, events_before, at_risk_last, at_risk_next]),
        unnest([1 - lower / 2, -1, lower / 2, -lower / 2, -lower / 2])
    FROM step
    UNION ALL
    SELECT 'step_upper', figure, unnest([events, earlier_events, at_risk_first]), unnest([1, -1, -upper]) FROM step
)

SELECT
    attack_row.attack_row,
    member.cell,
    sum(member.coefficient) AS coefficient
FROM member
INNER JOIN attack_row USING (kind, place)
WHERE member.cell IS NOT NULL
GROUP BY attack_row.attack_row, member.cell;
