{%- set member = 'count_id, clinic_id, dimension, category' -%}

-- How the cells of a dimension add up to the whole, by the seed dimension_sums; and terms to their system class. The
-- columns are those of the members of agg_relations.
with cells as (

    select * from {{ ref('agg_cells') }}

),

tellers as (

    select distinct
        counts.network_count_id,
        counts.count_id,
        delivering.clinic_id
    from {{ ref('dim_counts') }} as counts
    inner join {{ ref('int_measure_clinics') }} as delivering on counts.measure = delivering.measure

),

-- The count that a cell is of, whether of clinics or of the network.
bases as (

    {%- for column in ['count_id', 'network_count_id'] %}
    select
        {{ column }} as told_count_id,
        count_id
    from {{ ref('dim_counts') }}
    {%- if not loop.last %}
    union
    {%- endif %}
    {%- endfor %}

),

-- How the categories of a count add up, and to what.
rules as (

    select * from {{ ref('dimension_sums') }}

),

parts as (

    select
        cells.*,
        cells.count_id || '/' || cells.clinic_id || '/' || cells.dimension as sum_id,
        coalesce(of_count.adding_up, in_general.adding_up) as adding_up,
        coalesce(of_count.whole_count, cells.count_id) as whole_count,
        coalesce(in_general.whole_dimension, '') as whole_dimension,
        replace(coalesce(in_general.whole_category, ''), '{study_protocol}', '{{ var("study_protocol") }}')
            as whole_category
    from cells
    inner join bases on cells.count_id = bases.told_count_id
    inner join rules as in_general
        on
            cells.dimension = in_general.dimension
            and cells.contributors = in_general.contributors
            and in_general.count_id is null
    left join rules as of_count
        on
            cells.dimension = of_count.dimension
            and cells.contributors = of_count.contributors
            and bases.count_id = of_count.count_id
    where coalesce(of_count.adding_up, in_general.adding_up) <> 'none'

),

divided as (

    select distinct
        sum_id,
        count_id,
        clinic_id,
        dimension,
        whole_count,
        whole_dimension,
        whole_category
    from parts

),

told_of_some as (

    select distinct dimension
    from {{ ref('dimension_tables') }}

),

-- Of a dimension that not every clinic tells of, the network's categories add up to the wholes of those that do.
deliverers as (

    select
        tellers.network_count_id,
        tellers.count_id,
        tellers.clinic_id,
        dimensions.dimension,
        delivering.clinic_id is not null as is_delivering,
        bool_and(delivering.clinic_id is not null) over (
            partition by tellers.network_count_id, dimensions.dimension
        ) as are_all
    from tellers
    cross join told_of_some as dimensions
    left join {{ ref('int_dimension_clinics') }} as delivering
        on dimensions.dimension = delivering.dimension and tellers.clinic_id = delivering.clinic_id

),

whole_keys as (

    select
        sum_id,
        whole_count as count_id,
        clinic_id,
        whole_dimension as dimension,
        whole_category as category
    from divided
    where
        clinic_id <> 'network'
        or (count_id, dimension) not in (
            select (undivided.network_count_id, undivided.dimension) from deliverers as undivided
            where not undivided.are_all
        )
    union all
    select
        divided.sum_id,
        deliverers.count_id,
        deliverers.clinic_id,
        divided.whole_dimension as dimension,
        divided.whole_category as category
    from divided
    inner join deliverers
        on divided.count_id = deliverers.network_count_id and divided.dimension = deliverers.dimension
    where divided.clinic_id = 'network' and deliverers.is_delivering and not deliverers.are_all

),

wholes as (

    select * from whole_keys
    where sum_id not in (
        select lacking.sum_id
        from whole_keys as lacking
        left join cells
            on
                lacking.count_id = cells.count_id
                and lacking.clinic_id = cells.clinic_id
                and lacking.dimension = cells.dimension
                and lacking.category = cells.category
        where cells.count_id is null
    )

),

-- What is left of a denominator adds up as the denominator and the numerator do, or not at all.
of_categories as (

    select distinct
        sum_id,
        case
            when adding_up = 'partition' then '='
            when is_count and adding_up in ('disjoint', 'exhaustive_overlap') then '<='
            else ''
        end as relation,
        case adding_up
            when 'disjoint' then '='
            when 'usually_partition' then '='
            when 'overlap' then 'either'
            else ''
        end as guess,
        case when adding_up in ('overlap', 'exhaustive_overlap') then -1 else 1 end as sign
    from parts
    where
        case
            when split_part(count_id, '/', 2) = 'rest' then adding_up = 'disjoint'
            else is_count or adding_up not in ('overlap', 'exhaustive_overlap')
        end

),

overlapping as (

    select
        *,
        sum_id || '/' || category as part_id
    from parts
    where is_count and adding_up in ('overlap', 'exhaustive_overlap') and split_part(count_id, '/', 2) <> 'rest'

),

category_sums as (

    select
        'categories/' || of_categories.sum_id as relation_id,
        of_categories.relation,
        of_categories.guess,
        parts.count_id,
        parts.clinic_id,
        parts.dimension,
        parts.category,
        of_categories.sign as coefficient
    from of_categories
    inner join parts on of_categories.sum_id = parts.sum_id
    where of_categories.sum_id in (select wholes.sum_id from wholes)
    union all
    select
        'categories/' || of_categories.sum_id as relation_id,
        of_categories.relation,
        of_categories.guess,
        wholes.count_id,
        wholes.clinic_id,
        wholes.dimension,
        wholes.category,
        -of_categories.sign as coefficient
    from of_categories
    inner join wholes on of_categories.sum_id = wholes.sum_id
    union all
    select
        'within/' || part_id as relation_id,
        '<=' as relation,
        '' as guess,
        {{ member }},
        1 as coefficient
    from overlapping
    where sum_id in (select wholes.sum_id from wholes)
    union all
    select
        'within/' || overlapping.part_id as relation_id,
        '<=' as relation,
        '' as guess,
        wholes.count_id,
        wholes.clinic_id,
        wholes.dimension,
        wholes.category,
        -1 as coefficient
    from overlapping
    inner join wholes on overlapping.sum_id = wholes.sum_id

),

-- Events of terms within their system class, as far as clinics put them there.
classes as (

    select
        'terms/' || classes.count_id || '/' || classes.clinic_id || '/' || classes.category as sum_id,
        classes.contributors,
        classes.count_id,
        classes.clinic_id,
        classes.category as class_category,
        cells.category
    from cells as classes
    inner join {{ ref('adverse_event_terms') }} as terms on classes.category = terms.system_class
    inner join cells
        on
            classes.count_id = cells.count_id
            and classes.clinic_id = cells.clinic_id
            and terms.term = cells.category
            and cells.dimension = 'term'
    where classes.dimension = 'system_class' and split_part(classes.count_id, '/', 2) <> 'rest'

),

class_sums as (

    select
        sum_id as relation_id,
        '' as relation,
        case contributors when 'event' then '=' else '<=' end as guess,
        count_id,
        clinic_id,
        'term' as dimension,
        category,
        case contributors when 'event' then 1 else -1 end as coefficient
    from classes
    union all
    select distinct
        sum_id as relation_id,
        '' as relation,
        case contributors when 'event' then '=' else '<=' end as guess,
        count_id,
        clinic_id,
        'system_class' as dimension,
        class_category as category,
        case contributors when 'event' then -1 else 1 end as coefficient
    from classes
    union all
    select
        sum_id || '/' || category as relation_id,
        '' as relation,
        '<=' as guess,
        count_id,
        clinic_id,
        'term' as dimension,
        category,
        1 as coefficient
    from classes
    where contributors <> 'event'
    union all
    select
        sum_id || '/' || category as relation_id,
        '' as relation,
        '<=' as guess,
        count_id,
        clinic_id,
        'system_class' as dimension,
        class_category as category,
        -1 as coefficient
    from classes
    where contributors <> 'event'

)

select * from category_sums
union all
select * from class_sums
