{%- set member = 'count_id, clinic_id, dimension, category' -%}

-- What cells have to do with each other, whatever their numbers: `relation` is what always holds, `guess` what an
-- attacker may guess and is taken to know where the numbers bear it out, such as that every session has a protocol.
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

weeks as (

    select
        cells.*,
        measures.instrument,
        measures.quantity,
        measures.interval_number,
        counts.role
    from {{ ref('dim_counts') }} as counts
    inner join {{ ref('int_measures') }} as measures on counts.measure = measures.measure
    inner join bases on counts.count_id = bases.count_id
    inner join cells on bases.told_count_id = cells.count_id
    where measures.interval_number is not null

),

-- Clinics add up to the network, in dimensions that are told of them.
network as (

    select
        'clinics/' || count_id || '/' || dimension || '/' || category as relation_id,
        *
    from cells
    where
        clinic_id = 'network'
        and dimension not in (
            select told.dimension from {{ ref('dimensions') }} as told
            where told.scope = 'network'
        )

),

of_clinics as (

    select
        network.relation_id,
        cells.count_id,
        cells.clinic_id,
        cells.dimension,
        cells.category
    from network
    inner join tellers on network.count_id = tellers.network_count_id
    inner join cells
        on
            tellers.count_id = cells.count_id
            and tellers.clinic_id = cells.clinic_id
            and network.dimension = cells.dimension
            and network.category = cells.category
    where network.count_id not in (select weeks.count_id from weeks where weeks.role = 'numerator')
    union all
    -- Losses of a clinic stay among the network's when nobody is at risk there any more.
    select
        relation_id,
        count_id,
        clinic_id,
        dimension,
        category
    from (
        select
            network.relation_id,
            clinics.*,
            row_number() over (
                partition by network.relation_id, clinics.clinic_id order by clinics.interval_number desc
            ) as place
        from network
        inner join weeks as of_network
            on
                network.count_id = of_network.count_id
                and network.clinic_id = of_network.clinic_id
                and network.dimension = of_network.dimension
                and network.category = of_network.category
        inner join weeks as clinics
            on
                of_network.instrument = clinics.instrument
                and of_network.quantity = clinics.quantity
                and of_network.dimension = clinics.dimension
                and of_network.category = clinics.category
                and of_network.interval_number >= clinics.interval_number
        where of_network.role = 'numerator' and clinics.role = 'numerator' and clinics.clinic_id <> 'network'
    ) as last_weeks
    where place = 1

),

clinic_sums as (

    select
        relation_id,
        '=' as relation,
        '' as guess,
        {{ member }},
        1 as coefficient
    from of_clinics
    union all
    select
        relation_id,
        '=' as relation,
        '' as guess,
        {{ member }},
        -1 as coefficient
    from network
    where relation_id in (select of_clinics.relation_id from of_clinics)

),

remainders as (

    select
        'rest/' || figure_cells.figure_id as relation_id,
        '=' as relation,
        '' as guess,
        {{ member }},
        case role when 'denominator' then -1 else 1 end as coefficient
    from {{ ref('agg_figure_cells') }} as figure_cells
    where
        role <> 'exposure'
        and figure_id in (
            select rates.figure_id from {{ ref('agg_figure_cells') }} as rates
            where rates.role = 'remainder'
        )

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
        case coalesce(of_count.whole, in_general.whole) when 'all' then '' else 'protocol' end as whole_dimension,
        case coalesce(of_count.whole, in_general.whole) when 'all' then '' else '{{ var("study_protocol") }}' end
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

-- Of a dimension that not every clinic tells of, the network's categories add up to the wholes of those clinics that do.
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
    cross join (
        select distinct dimension_tables.dimension
        from {{ ref('dimension_tables') }} as dimension_tables
    ) as dimensions
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
            select (partial.network_count_id, partial.dimension) from deliverers as partial
            where not partial.are_all
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
            when is_count and adding_up <> 'overlap' then '<='
            else ''
        end as relation,
        case adding_up when 'disjoint' then '=' when 'overlap' then '<=' else '' end as guess,
        case when adding_up in ('partition', 'disjoint') then 1 else -1 end as sign
    from parts
    where
        case
            when split_part(count_id, '/', 2) = 'rest' then adding_up = 'disjoint'
            else is_count or adding_up in ('partition', 'disjoint')
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
            and cells.dimension = 'term'
            and cells.category = terms.term
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

),

-- Of a life table: losses never fall, the people at risk never rise, and who is at risk has had no loss.
intervals as (

    select distinct
        at_risk.clinic_id,
        at_risk.dimension,
        at_risk.category,
        at_risk.instrument,
        at_risk.quantity,
        at_risk.interval_number,
        at_risk.count_id as at_risk,
        losses.count_id as losses
    from weeks as at_risk
    inner join weeks as losses
        on
            at_risk.clinic_id = losses.clinic_id
            and at_risk.dimension = losses.dimension
            and at_risk.category = losses.category
            and at_risk.instrument = losses.instrument
            and at_risk.quantity = losses.quantity
            and at_risk.interval_number = losses.interval_number
    where at_risk.role = 'denominator' and losses.role = 'numerator'

),

steps as (

    select
        *,
        '/' || clinic_id || '/' || dimension || '/' || category as sum_id,
        lag(at_risk) over table_rows as at_risk_before,
        lag(losses) over table_rows as losses_before,
        first_value(at_risk) over table_rows as at_risk_first
    from intervals
    window table_rows as (
        partition by clinic_id, dimension, category, instrument, quantity order by interval_number
    )

),

life_tables as (

    {%- for kind, of, members in [
        ['losses', 'losses', [['losses_before', 1], ['losses', -1]]],
        ['at_risk', 'at_risk', [['at_risk', 1], ['at_risk_before', -1]]],
        ['lost_or_at_risk', 'at_risk', [['at_risk', 1], ['losses_before', 1], ['at_risk_first', -1]]],
    ] %}
    {%- for column, coefficient in members %}
    select distinct
        '{{ kind }}/' || {{ of }} || sum_id as relation_id,
        '<=' as relation,
        '' as guess,
        {{ column }} as count_id,
        clinic_id,
        dimension,
        category,
        {{ coefficient }} as coefficient
    from steps
    where at_risk_before is not null
    union all
    {%- endfor %}
    {%- endfor %}
    select * from clinic_sums
    where false

),

members as (

    select * from clinic_sums
    union all
    select * from remainders
    union all
    select * from category_sums
    union all
    select * from class_sums
    union all
    select * from life_tables

),

totals as (

    select
        members.relation_id,
        members.relation,
        members.guess,
        sum(members.coefficient * cells.value) as total
    from members
    inner join cells
        on
            members.count_id = cells.count_id
            and members.clinic_id = cells.clinic_id
            and members.dimension = cells.dimension
            and members.category = cells.category
    group by members.relation_id, members.relation, members.guess

),

relations as (

    select
        relation_id,
        case
            when guess = '=' and total = 0 or guess = '<=' and total <= 0 then guess
            else relation
        end as comparison
    from totals

)

select
    members.relation_id,
    relations.comparison,
    members.count_id,
    members.clinic_id,
    members.dimension,
    members.category,
    cast(members.coefficient as integer) as coefficient
from members
inner join relations on members.relation_id = relations.relation_id
where relations.comparison <> ''
