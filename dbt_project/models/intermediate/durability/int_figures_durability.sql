-- Life tables of response as figures. Behind a row are those at risk when its week begins; behind its numerator, all
-- who lost response so far, also in clinics where nobody is at risk any more.
with life_tables as (

    select * from {{ ref('int_life_tables') }}

),

-- The first week in which a clinic had a loss.
first_losses as (

    select
        clinic_id,
        instrument,
        dimension,
        category,
        censoring_rule,
        min(week_number) as week_number
    from life_tables
    where clinic_id <> 'network' and events > 0
    group by clinic_id, instrument, dimension, category, censoring_rule

),

clinics_at_risk as (

    select
        instrument,
        dimension,
        category,
        censoring_rule,
        week_number,
        count(*) as clinics
    from life_tables
    where clinic_id <> 'network'
    group by instrument, dimension, category, censoring_rule, week_number

),

clinics_with_losses as (

    select
        life_tables.instrument,
        life_tables.dimension,
        life_tables.category,
        life_tables.censoring_rule,
        life_tables.week_number,
        count(*) as clinics
    from life_tables
    inner join first_losses
        on
            life_tables.instrument = first_losses.instrument
            and life_tables.dimension = first_losses.dimension
            and life_tables.category = first_losses.category
            and life_tables.censoring_rule = first_losses.censoring_rule
            and life_tables.week_number >= first_losses.week_number
    where life_tables.clinic_id = 'network'
    group by
        life_tables.instrument, life_tables.dimension, life_tables.category, life_tables.censoring_rule,
        life_tables.week_number

)

select
    measures.measure,
    life_tables.clinic_id,
    life_tables.dimension,
    life_tables.category,
    cast(life_tables.events_so_far as decimal(18, 4)) as numerator,
    life_tables.at_risk as denominator,
    cast(life_tables.survival as decimal(18, 6)) as value,
    life_tables.at_risk as patients,
    case when life_tables.clinic_id = 'network' then clinics_at_risk.clinics else 1 end as clinics,
    life_tables.events_so_far as numerator_patients,
    case
        when life_tables.events_so_far = 0 then 0
        when life_tables.clinic_id = 'network' then clinics_with_losses.clinics
        else 1
    end as numerator_clinics
from life_tables
inner join clinics_at_risk
    on
        life_tables.instrument = clinics_at_risk.instrument
        and life_tables.dimension = clinics_at_risk.dimension
        and life_tables.category = clinics_at_risk.category
        and life_tables.censoring_rule = clinics_at_risk.censoring_rule
        and life_tables.week_number = clinics_at_risk.week_number
left join clinics_with_losses
    on
        life_tables.instrument = clinics_with_losses.instrument
        and life_tables.dimension = clinics_with_losses.dimension
        and life_tables.category = clinics_with_losses.category
        and life_tables.censoring_rule = clinics_with_losses.censoring_rule
        and life_tables.week_number = clinics_with_losses.week_number
inner join {{ ref('int_measures') }} as measures
    on
        life_tables.instrument = measures.instrument
        and life_tables.time_point = measures.time_point
        and measures.quantity = case
            when life_tables.censoring_rule = 'last_score' then 'sustained_response_to_last_score'
            else 'sustained_response'
        end
