-- By owner at the time of service. Each session has one owner. Owners are told within their clinic alone, for a number
-- or a code says nothing outside it.
with sessions as (

    select
        clinic_id,
        patient_key,
        organisation,
        has_owners,
        1 as given,
        case when is_first then 1 else 0 end as first_given,
        case when is_last_before_closure then 1 else 0 end as cut_short
    from {{ ref('int_owner_sessions') }}

),

by_owner as (

    select
        *,
        'organisation' as dimension,
        organisation as category
    from sessions
    where has_owners

),

treated_by_owner as (

    select
        clinic_id,
        patient_key,
        dimension,
        category,
        1 as treated,
        max(cut_short) as cut_short
    from by_owner
    group by clinic_id, patient_key, dimension, category

),

people as (

    select
        clinic_id,
        patient_key,
        '' as dimension,
        '' as category,
        max(cut_short) as cut_short,
        case when count(distinct nullif(organisation, 'not_recorded')) > 1 then 1 else 0 end as under_several
    from sessions
    group by clinic_id, patient_key

),

of_owners as (

    {{ figures('by_owner', [
        ['sessions_given', 'given', none],
        ['patients_by_first_owner', 'first_given', none],
    ]) }}
    union all
    {{ figures('treated_by_owner', [
        ['patients_treated', 'treated', none],
        ['patients_mid_course_at_closure', 'cut_short', none],
    ]) }}

)

select * from of_owners
where clinic_id <> 'network'
union all
{{ figures('people', [
    ['patients_mid_course_at_closure', 'cut_short', none],
    ['patients_of_several_owners', 'under_several', none],
]) }}
