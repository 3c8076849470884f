{%- set sections = [
    'referral', 'flows', 'owners', 'treatment', 'outcome', 'scoring', 'recovery', 'durability', 'completeness', 'comparison',
    'safety', 'event_rates', 'event_times', 'session_safety', 'suicidality', 'quality',
] -%}

with figures as (

    {%- for section in sections %}
    select * from {{ ref('int_figures_' ~ section) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

measures as (

    select * from {{ ref('int_measures') }}

),

-- Whose figures there are of a measure: each clinic that takes part, and the network when any does.
reporters as (

    select
        measure,
        clinic_id
    from {{ ref('int_measure_clinics') }}
    union
    select
        measure,
        'network' as clinic_id
    from {{ ref('int_measure_clinics') }}

),

-- In which dimensions a reporter is told of: a clinic in those told of clinics, of which it delivers the tables. What
-- is told of nothing in particular is told of all.
told as (

    select
        delivering.clinic_id,
        delivering.dimension,
        dimensions.open_categories
    from {{ ref('int_dimension_clinics') }} as delivering
    inner join {{ ref('dimensions') }} as dimensions on delivering.dimension = dimensions.dimension
    where dimensions.scope = 'clinic'
    union all
    select
        'network' as clinic_id,
        dimension,
        open_categories
    from {{ ref('dimensions') }}
    union all
    select distinct
        clinic_id,
        '' as dimension,
        false as open_categories
    from reporters

),

allowed as (

    select figures.*
    from figures
    inner join told on figures.clinic_id = told.clinic_id and figures.dimension = told.dimension

),

-- Categories of an open dimension are a clinic's own, or say what it delivers: elsewhere they are absent, not zero.
occurring as (

    select
        measure,
        '' as dimension,
        '' as category
    from measures
    where is_pooled and figure_type in ('count', 'rate', 'mean')
    union
    select
        allowed.measure,
        allowed.dimension,
        allowed.category
    from allowed
    inner join told on allowed.clinic_id = told.clinic_id and allowed.dimension = told.dimension
    inner join measures on allowed.measure = measures.measure
    where
        allowed.clinic_id = 'network' and not told.open_categories and measures.figure_type in ('count', 'rate', 'mean')

),

-- What occurs anywhere in the network is told of every clinic that takes part, as zero where it has none.
cells as (

    select
        occurring.measure,
        reporters.clinic_id,
        occurring.dimension,
        occurring.category
    from occurring
    inner join reporters on occurring.measure = reporters.measure
    inner join told on reporters.clinic_id = told.clinic_id and occurring.dimension = told.dimension
    union
    select
        measure,
        clinic_id,
        dimension,
        category
    from allowed

),

filled as (

    select
        cells.measure,
        measures.figure_type,
        cells.clinic_id,
        cells.dimension,
        cells.category,
        case when measures.figure_type = 'model_value' then allowed.numerator else coalesce(allowed.numerator, 0) end
            as numerator,
        case when measures.figure_type <> 'count' then coalesce(allowed.denominator, 0) end as denominator,
        allowed.value,
        coalesce(allowed.patients, 0) as patients,
        coalesce(allowed.clinics, 0) as clinics,
        coalesce(allowed.numerator_patients, 0) as numerator_patients,
        coalesce(allowed.numerator_clinics, 0) as numerator_clinics
    from cells
    inner join measures on cells.measure = measures.measure
    left join allowed
        on
            cells.measure = allowed.measure
            and cells.clinic_id = allowed.clinic_id
            and cells.dimension = allowed.dimension
            and cells.category = allowed.category

)

select
    measure || '/' || clinic_id || '/' || dimension || '/' || category as figure_id,
    measure,
    figure_type,
    clinic_id,
    dimension,
    category,
    cast(numerator as decimal(18, 4)) as numerator,
    cast(denominator as bigint) as denominator,
    cast(
        case
            when figure_type = 'count' then numerator
            when figure_type in ('rate', 'mean') then {{ exact_ratio('numerator', 'denominator') }}
            else value
        end as decimal(18, 6)
    ) as value,
    cast(patients as bigint) as patients,
    cast(clinics as bigint) as clinics,
    cast(numerator_patients as bigint) as numerator_patients,
    cast(numerator_clinics as bigint) as numerator_clinics
from filled
