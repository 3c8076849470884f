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
    where
        network.count_id not in (
            select weeks.count_id from weeks
            where weeks.role = 'numerator'
        )
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
        figure_cells.count_id,
        figure_cells.clinic_id,
        figure_cells.dimension,
        figure_cells.category,
        case figure_cells.role when 'denominator' then -1 else 1 end as coefficient
    from {{ ref('agg_figure_cells') }} as figure_cells
    where
        figure_cells.role <> 'exposure'
        and figure_cells.figure_id in (
            select rates.figure_id from {{ ref('agg_figure_cells') }} as rates
            where rates.role = 'remainder'
        )

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
        '/' || clinic_id || '/' || dimension || '/' || category as place,
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
        '{{ kind }}/' || {{ of }} || place as relation_id,
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

-- What counts have to do with each other, cell by cell; of the network, where the same clinics tell of all of them.
instances as (

    select
        '' as each_of,
        '' as instrument,
        '' as time_point,
        '' as stem
    union all
    select distinct
        'instrument' as each_of,
        instrument,
        '' as time_point,
        instrument || '_' as stem
    from {{ ref('int_measures') }}
    where instrument <> ''
    union all
    select distinct
        'time_point' as each_of,
        '' as instrument,
        time_point,
        time_point || '_' as stem
    from {{ ref('int_measures') }}
    where instrument <> '' and time_point <> ''
    union all
    select distinct
        'instrument_and_time_point' as each_of,
        instrument,
        time_point,
        instrument || '_' || time_point || '_' as stem
    from {{ ref('int_measures') }}
    where instrument <> '' and time_point <> ''

),

rules_of_counts as (

    select
        instances.stem || rules.relation as rule_id,
        coalesce(rules.comparison, '') as relation,
        coalesce(rules.guess, '') as guess,
        rules.dimension as told_dimension,
        rules.coefficient,
        count(*) over (partition by rules.relation, instances.stem) as members,
        replace(replace(replace(
            rules.count_id, '{primary_instrument}', '{{ var("primary_instrument") }}'
        ), '{instrument}', instances.instrument), '{time_point}', instances.time_point) as count_id
    from {{ ref('count_relations') }} as rules
    inner join instances on coalesce(rules.each_of, '') = instances.each_of

),

-- Which clinics tell of a count of the network, where not all of them do: numbers of the same clinics can be compared.
tellers_of_counts as (

    select
        network_count_id,
        count_id,
        case
            when count(*) < (select count(*) from {{ ref('stg_clinics') }})
                then '/' || md5(string_agg(clinic_id, ' ' order by clinic_id))
            else ''
        end as clinics
    from tellers
    group by network_count_id, count_id

),

of_counts as (

    select
        rules.rule_id || '/' || cells.clinic_id || '/' || cells.dimension || '/' || cells.category as sum_id,
        rules.relation,
        rules.guess,
        rules.told_dimension,
        rules.coefficient,
        rules.members,
        cells.count_id,
        cells.clinic_id,
        cells.dimension,
        cells.category
    from rules_of_counts as rules
    inner join cells on rules.count_id = cells.count_id and cells.clinic_id <> 'network'
    union all
    select
        rules.rule_id || '/network/' || cells.dimension || '/' || cells.category || tellers.clinics as sum_id,
        rules.relation,
        rules.guess,
        rules.told_dimension,
        rules.coefficient,
        rules.members,
        cells.count_id,
        cells.clinic_id,
        cells.dimension,
        cells.category
    from rules_of_counts as rules
    inner join tellers_of_counts as tellers on rules.count_id = tellers.count_id
    inner join cells on tellers.network_count_id = cells.count_id and cells.clinic_id = 'network'

),

count_sums as (

    select
        'counts/' || sum_id as relation_id,
        relation,
        guess,
        {{ member }},
        coefficient
    from of_counts
    where
        sum_id in (
            select met.sum_id from of_counts as met
            group by met.sum_id, met.members
            having count(*) = met.members
        )
        and case told_dimension
            when 'every' then true
            when 'whole' then dimension = ''
            else told_dimension = dimension
        end

),

members as (

    select * from clinic_sums
    union all
    select * from remainders
    union all
    select * from {{ ref('int_category_relations') }}
    union all
    select * from life_tables
    union all
    select * from count_sums

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
            when guess in ('=', 'either') and total = 0 then '='
            when guess in ('<=', 'either') and total <= 0 then '<='
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
