-- What all table sets of so many clinics share: which cells there are, what figures are made of, and the relations.
-- Reads clinic, part_column, figure_part and set_place. Several sets lie in one database: a set's categories begin with its name.
CREATE TABLE reporter AS
SELECT clinic_id FROM clinic
UNION ALL
SELECT 'network' AS clinic_id;

CREATE TABLE cell_key AS
SELECT part_column.*, reporter.clinic_id
FROM part_column
CROSS JOIN reporter
WHERE part_column.dimension <> 'veteran' OR reporter.clinic_id = 'network';

CREATE TABLE figure_cell AS
SELECT
    figure_part.measure,
    figure_part.dimension AS figure_dimension,
    figure_part.category AS figure_category,
    concat_ws('/', figure_part.measure, reporter.clinic_id, figure_part.dimension, figure_part.category) AS figure_id,
    figure_part.role,
    figure_part.count_id,
    reporter.clinic_id,
    figure_part.cell_dimension AS dimension,
    figure_part.cell_category AS category
FROM figure_part
CROSS JOIN reporter
WHERE figure_part.dimension <> 'veteran' OR reporter.clinic_id = 'network';

CREATE TABLE term_class AS
FROM (VALUES
    ('chest_pain', 'heart'), ('fast_pulse', 'heart'),
    ('anxiety', 'mind'), ('confusion', 'mind'), ('panic', 'mind')
) AS terms (term, system_class);

CREATE TABLE relation AS
WITH clinics AS (
    SELECT
        'clinics/' || count_id || '/' || dimension || '/' || category AS relation_id,
        '=' AS comparison,
        count_id, clinic_id, dimension, category,
        CASE clinic_id WHEN 'network' THEN -1 ELSE 1 END AS coefficient
    FROM cell_key
    WHERE dimension <> 'veteran'
),

rest AS (
    SELECT
        'rest/' || figure_id, '=', count_id, clinic_id, dimension, category,
        CASE role WHEN 'denominator' THEN -1 ELSE 1 END
    FROM figure_cell
    WHERE figure_id IN (SELECT rates.figure_id FROM figure_cell AS rates WHERE rates.role = 'remainder')
),

-- Everybody is in one arm and in one stratum, every event has one term and one class.
partitions AS (
    SELECT
        'categories/' || parts.count_id || '/' || parts.clinic_id || '/' || parts.dimension AS relation_id,
        parts.*
    FROM cell_key AS parts
    WHERE
        parts.dimension IN ('arm', 'veteran')
        OR (parts.contributors = 'event' AND parts.dimension IN ('system_class', 'term'))
),

partition_sums AS (
    SELECT relation_id, '=', count_id, clinic_id, dimension, category, 1 FROM partitions
    UNION ALL
    SELECT DISTINCT relation_id, '=', count_id, clinic_id, '', '', -1 FROM partitions
),

-- People may have several drugs, or none, and several kinds of events; who has any has one of these.
overlapping AS (
    SELECT
        'within/' || count_id || '/' || clinic_id || '/' || dimension || '/' || category AS relation_id,
        *
    FROM cell_key
    WHERE dimension = 'drug' OR (count_id = 'with_event' AND dimension <> '')
),

within AS (
    SELECT relation_id, '<=', count_id, clinic_id, dimension, category, 1 FROM overlapping
    UNION ALL
    SELECT relation_id, '<=', count_id, clinic_id, '', '', -1 FROM overlapping
),

exhaustive AS (
    SELECT 'all/' || clinic_id || '/' || dimension AS relation_id, *
    FROM cell_key
    WHERE count_id = 'with_event' AND dimension <> ''
),

exhaustive_sums AS (
    SELECT relation_id, '<=', count_id, clinic_id, dimension, category, -1 FROM exhaustive
    UNION ALL
    SELECT DISTINCT relation_id, '<=', count_id, clinic_id, '', '', 1 FROM exhaustive
),

terms AS (
    SELECT
        'terms/' || terms.count_id || '/' || terms.clinic_id || '/' || term_class.system_class AS relation_id,
        term_class.system_class,
        terms.*
    FROM cell_key AS terms
    INNER JOIN term_class ON terms.category = term_class.term
    WHERE terms.dimension = 'term' AND terms.count_id IN ('with_event', 'adverse_events')
),

class_sums AS (
    SELECT
        relation_id,
        CASE contributors WHEN 'event' THEN '=' ELSE '<=' END AS comparison,
        count_id, clinic_id, dimension, category,
        CASE contributors WHEN 'event' THEN 1 ELSE -1 END AS coefficient
    FROM terms
    UNION ALL
    SELECT DISTINCT
        relation_id,
        CASE contributors WHEN 'event' THEN '=' ELSE '<=' END,
        count_id, clinic_id, 'system_class', system_class,
        CASE contributors WHEN 'event' THEN -1 ELSE 1 END
    FROM terms
    UNION ALL
    SELECT relation_id || '/' || category, '<=', count_id, clinic_id, dimension, category, 1
    FROM terms WHERE contributors = 'patient'
    UNION ALL
    SELECT relation_id || '/' || category, '<=', count_id, clinic_id, 'system_class', system_class, -1
    FROM terms WHERE contributors = 'patient'
),

-- Of every category: the assessed were treated, and remission is a response.
fewer AS (
    SELECT
        'fewer/' || rule.small || '/' || cell_key.clinic_id || '/' || cell_key.dimension || '/' || cell_key.category,
        '<=',
        cell_key.count_id, cell_key.clinic_id, cell_key.dimension, cell_key.category,
        CASE cell_key.count_id WHEN rule.small THEN 1 ELSE -1 END
    FROM (VALUES ('assessed', 'patients_treated'), ('remission_share', 'responded')) AS rule (small, large)
    INNER JOIN cell_key ON cell_key.count_id IN (rule.small, rule.large)
    WHERE cell_key.dimension IN ('', 'arm', 'veteran')
),

weeks AS (
    SELECT
        *,
        split_part(count_id, '/', 1)[-1:]::INTEGER AS week,
        count_id LIKE '%/of' AS is_at_risk
    FROM cell_key
    WHERE count_id LIKE 'sustained_%'
),

-- Events never fall, who is at risk was at risk before, and has had no event.
life_tables AS (
    SELECT
        'events/' || this.week || '/' || this.clinic_id, '<=', other.count_id, other.clinic_id, '', '',
        CASE WHEN other.week = this.week THEN -1 ELSE 1 END
    FROM weeks AS this
    INNER JOIN weeks AS other ON this.clinic_id = other.clinic_id AND other.week IN (this.week, this.week - 1)
    WHERE NOT this.is_at_risk AND NOT other.is_at_risk AND this.week > 1
    UNION ALL
    SELECT
        'at_risk/' || this.week || '/' || this.clinic_id, '<=', other.count_id, other.clinic_id, '', '',
        CASE WHEN other.week = this.week THEN 1 ELSE -1 END
    FROM weeks AS this
    INNER JOIN weeks AS other ON this.clinic_id = other.clinic_id AND other.week IN (this.week, this.week - 1)
    WHERE this.is_at_risk AND other.is_at_risk AND this.week > 1
    UNION ALL
    SELECT
        'left/' || this.week || '/' || this.clinic_id, '<=', other.count_id, other.clinic_id, '', '',
        CASE WHEN other.is_at_risk AND other.week = 1 THEN -1 ELSE 1 END
    FROM weeks AS this
    INNER JOIN weeks AS other
        ON
            this.clinic_id = other.clinic_id
            AND CASE WHEN other.is_at_risk THEN other.week IN (1, this.week) ELSE other.week = this.week - 1 END
    WHERE this.is_at_risk AND this.week > 1
)

SELECT * FROM clinics
UNION ALL
SELECT * FROM rest
UNION ALL
SELECT * FROM partition_sums
UNION ALL
SELECT * FROM within
UNION ALL
SELECT * FROM exhaustive_sums
UNION ALL
SELECT * FROM class_sums
UNION ALL
SELECT * FROM fewer
UNION ALL
SELECT * FROM life_tables;

CREATE TABLE every_figure_cell AS
SELECT
    set_place.set_name,
    measure,
    figure_dimension,
    concat_ws('/', measure, clinic_id, figure_dimension, set_place.set_name || figure_category) AS figure_id,
    role,
    count_id,
    clinic_id,
    dimension,
    set_place.set_name || category AS category
FROM figure_cell
CROSS JOIN set_place;

CREATE TABLE every_relation AS
SELECT
    set_place.set_name || '/' || relation_id AS relation_id,
    comparison,
    count_id,
    clinic_id,
    dimension,
    set_place.set_name || category AS category,
    coefficient,
    count(*) OVER (PARTITION BY set_place.set_name, relation_id) AS members
FROM relation
CROSS JOIN set_place;
