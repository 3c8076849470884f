-- Losses of the network up to the end of a week are those of its clinics; of a clinic where nobody is at risk any more,
-- the losses up to the last week in which somebody was.
with life_tables as (

    select
        figures.*,
        measures.instrument,
        measures.quantity,
        weeks.week_number
    from {{ ref('agg_figures') }} as figures
    inner join {{ ref('dim_measures') }} as measures on figures.measure = measures.measure
    left join {{ ref('life_table_weeks') }} as weeks on measures.time_point = weeks.time_point
    where figures.figure_type = 'life_table_row'

),

losses as (

    select
        network.figure_id,
        clinics.clinic_id,
        max(clinics.numerator) as numerator,
        max(clinics.numerator_patients) as numerator_patients,
        max(clinics.numerator_clinics) as numerator_clinics
    from life_tables as network
    inner join life_tables as clinics
        on
            network.instrument = clinics.instrument
            and network.quantity = clinics.quantity
            and network.dimension = clinics.dimension
            and network.category = clinics.category
            and network.week_number >= clinics.week_number
    where network.clinic_id = 'network' and clinics.clinic_id <> 'network'
    group by network.figure_id, clinics.clinic_id

),

added as (

    select
        figure_id,
        sum(numerator) as numerator,
        sum(numerator_patients) as numerator_patients,
        sum(numerator_clinics) as numerator_clinics
    from losses
    group by figure_id

)

select network.figure_id
from life_tables as network
left join added on network.figure_id = added.figure_id
where
    network.clinic_id = 'network'
    and (
        network.week_number is null
        or network.numerator is distinct from added.numerator
        or network.numerator_patients is distinct from added.numerator_patients
        or network.numerator_clinics is distinct from added.numerator_clinics
    )
