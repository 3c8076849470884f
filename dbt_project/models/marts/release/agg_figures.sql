{#- Categories of these are a clinic's own, or say what it delivers: elsewhere they are absent, not zero. -#}
{%- set open_dimensions = ['trial_arm', 'table_name'] %}
with figures as (

    {%- for section in ['referral', 'treatment', 'outcome', 'safety', 'quality'] %}
    select * from {{ ref('int_figures_' ~ section) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

measures as (

    select * from {{ ref('measures') }}

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

occurring as (

    select
        measure,
        '' as dimension,
        '' as category
    from measures
    union
    select
        measure,
        dimension,
        category
    from figures
    where clinic_id = 'network' and dimension not in {{ quoted(open_dimensions) }}

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
    union
    select
        measure,
        clinic_id,
        dimension,
        category
    from figures

),

filled as (

    select
        cells.measure,
        measures.figure_type,
        cells.clinic_id,
        cells.dimension,
        cells.category,
        coalesce(figures.numerator, cast(0 as decimal(18, 4))) as numerator,
        case when measures.figure_type <> 'count' then coalesce(figures.denominator, 0) end as denominator,
        coalesce(figures.patients, 0) as patients,
        coalesce(figures.clinics, 0) as clinics
    from cells
    inner join measures on cells.measure = measures.measure
    left join figures
        on
            cells.measure = figures.measure
            and cells.clinic_id = figures.clinic_id
            and cells.dimension = figures.dimension
            and cells.category = figures.category

)

select
    measure || '/' || clinic_id || '/' || dimension || '/' || category as figure_id,
    measure,
    figure_type,
    clinic_id,
    dimension,
    category,
    numerator,
    denominator,
    cast(
        case
            when figure_type = 'count' then numerator
            else {{ exact_ratio('numerator', 'denominator') }}
        end as decimal(18, 6)
    ) as value,
    patients,
    clinics
from filled
