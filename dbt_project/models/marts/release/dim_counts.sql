-- What no seed names is the measure's own count. A model value has a numerator only where a seed names it.
with measures as (

    select * from {{ ref('int_measures') }}

),

roles as (

    select
        measure,
        'numerator' as role,
        coalesce(numerator_count, measure || case when figure_type = 'mean' then '/sum' else '' end) as count_id
    from measures
    where figure_type <> 'model_value' or numerator_count is not null
    union all
    select
        measure,
        'denominator' as role,
        coalesce(denominator_count, measure || '/of') as count_id
    from measures
    where figure_type <> 'count'
    union all
    select
        measure,
        'remainder' as role,
        coalesce(remainder_count, measure || '/rest') as count_id
    from measures
    where figure_type = 'rate'
    union all
    select
        measure,
        'exposure' as role,
        coalesce(exposure_count, measure || '/exposure') as count_id
    from measures
    where count_measure <> ''

),

-- Clinics that tell of a measure. The network's number is of them alone, so that two measures of one count whose
-- clinics differ have two cells of the network.
tellers as (

    select
        measure,
        count(*) as clinics,
        string_agg(clinic_id, ' ' order by clinic_id) as clinic_ids
    from {{ ref('int_measure_clinics') }}
    group by measure

),

groups as (

    select
        roles.count_id,
        tellers.clinic_ids,
        min(roles.measure) as first_measure,
        row_number() over (
            partition by roles.count_id order by max(tellers.clinics) desc, min(roles.measure)
        ) as place
    from roles
    inner join tellers on roles.measure = tellers.measure
    group by roles.count_id, tellers.clinic_ids

)

select
    roles.measure,
    roles.role,
    roles.count_id,
    roles.count_id not like '%/sum' and roles.count_id not like '%/exposure' as is_count,
    case
        when groups.place = 1 then roles.count_id
        else roles.count_id || '/by_clinics_of/' || groups.first_measure
    end as network_count_id
from roles
inner join tellers on roles.measure = tellers.measure
inner join groups on roles.count_id = groups.count_id and tellers.clinic_ids = groups.clinic_ids
