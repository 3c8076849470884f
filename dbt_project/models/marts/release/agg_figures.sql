{%- set of_network = "clinic_id = 'network'" -%}
{%- set parts = [
    ['numerator', 'numerator'], ['denominator', 'denominator'], ['remainder', 'denominator - numerator'],
] -%}

with figures as (

    select * from {{ ref('int_figures') }}

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

-- What single clinics have of the network's numbers, also where a dimension is told of the network alone: the largest
-- part, and the two largest together. Of sums, which may be below zero, it is the amounts.
parts as (

    select
        measure,
        dimension,
        category,
        {%- for name, number in parts %}
        max(abs({{ number }})) as {{ name }}_largest,
        {{ sum_of_largest('abs(' ~ number ~ ')', 2) }} as {{ name }}_two_largest,
        {%- endfor %}
        'network' as clinic_id
    from figures
    where clinic_id <> 'network'
    group by measure, dimension, category

),

-- A clinic has no SD of few people, who stand behind that of the network: they are those of the count they are of.
of_count as (

    select
        measures.measure,
        parts.dimension,
        parts.category,
        {%- for kind in ['largest', 'two_largest'] %}
        case
            when measures.denominator_count like '%/of' then parts.denominator_{{ kind }}
            else parts.numerator_{{ kind }}
        end as {{ kind }},
        {%- endfor %}
        parts.clinic_id
    from measures
    inner join parts on split_part(measures.denominator_count, '/', 1) = parts.measure
    where measures.figure_type = 'model_value' and measures.numerator_count is null

),

weeks as (

    select
        figures.*,
        measures.instrument,
        measures.quantity,
        measures.interval_number
    from figures
    inner join measures on figures.measure = measures.measure
    where measures.interval_number is not null

),

-- Losses of a clinic stay among the network's when nobody is at risk there any more.
losses as (

    select
        measure,
        'network' as clinic_id,
        dimension,
        category,
        max(numerator) as largest,
        {{ sum_of_largest('numerator', 2) }} as two_largest
    from (
        select
            network.measure,
            network.dimension,
            network.category,
            clinics.clinic_id,
            max(clinics.numerator) as numerator
        from weeks as network
        inner join weeks as clinics
            on
                network.instrument = clinics.instrument
                and network.quantity = clinics.quantity
                and network.dimension = clinics.dimension
                and network.category = clinics.category
                and network.interval_number >= clinics.interval_number
        where network.clinic_id = 'network' and clinics.clinic_id <> 'network'
        group by network.measure, network.dimension, network.category, clinics.clinic_id
    ) as of_clinics
    group by measure, dimension, category

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
        coalesce(allowed.numerator_clinics, 0) as numerator_clinics,
        coalesce(losses.largest, parts.numerator_largest) as numerator_largest,
        coalesce(losses.two_largest, parts.numerator_two_largest) as numerator_two_largest,
        coalesce(of_count.largest, parts.denominator_largest) as denominator_largest,
        coalesce(of_count.two_largest, parts.denominator_two_largest) as denominator_two_largest,
        parts.remainder_largest,
        parts.remainder_two_largest
    from cells
    inner join measures on cells.measure = measures.measure
    left join allowed
        on
            cells.measure = allowed.measure
            and cells.clinic_id = allowed.clinic_id
            and cells.dimension = allowed.dimension
            and cells.category = allowed.category
    left join parts
        on
            cells.measure = parts.measure
            and cells.clinic_id = parts.clinic_id
            and cells.dimension = parts.dimension
            and cells.category = parts.category
    left join of_count
        on
            cells.measure = of_count.measure
            and cells.clinic_id = of_count.clinic_id
            and cells.dimension = of_count.dimension
            and cells.category = of_count.category
    left join losses
        on
            cells.measure = losses.measure
            and cells.clinic_id = losses.clinic_id
            and cells.dimension = losses.dimension
            and cells.category = losses.category

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
    -- Nothing of nothing; empty where nobody knows who has what.
    {%- for kind in ['largest', 'two_largest'] %}
    cast(coalesce(numerator_{{ kind }}, case when {{ of_network }} and numerator = 0 then 0 end) as decimal(18, 4))
        as numerator_{{ kind }},
    cast(coalesce(denominator_{{ kind }}, case when {{ of_network }} and denominator = 0 then 0 end) as bigint)
        as denominator_{{ kind }},
    cast(
        case
            when figure_type = 'rate'
                then coalesce(remainder_{{ kind }}, case when {{ of_network }} and denominator = numerator then 0 end)
        end as bigint
    ) as remainder_{{ kind }},
    {%- endfor %}
    cast(numerator_clinics as bigint) as numerator_clinics
from filled
