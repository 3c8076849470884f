{#- Measure of the network alone, and the people it counts. -#}
{%- set of_people = [['people_seen_in_two_clinics', 'true', 2], ['people_treated_by_token', 'people.is_treated', 1]] %}

-- People over all clinics, each once however many clinics know them; and whom clinics of the network sent each other.
with people as (

    select * from {{ ref('int_network_people') }}

),

referred as (

    select distinct
        people.clinic_id,
        people.patient_key,
        1 as referred,
        case when elsewhere.other_clinics = 1 then elsewhere.other_clinic_id else 'not_known' end as referring_clinic
    from people
    left join {{ ref('int_people_elsewhere') }} as elsewhere on people.patient_key = elsewhere.patient_key
    where people.is_referred_by_network

),

referrals as (

    {{ along('referred', ['referring_clinic']) }}

),

{%- for measure, counted, _ in of_people %}

{{ measure }}_clinics as (

    select distinct
        person_key,
        clinic_id,
        has_token,
        count(*) over (partition by person_key) as clinics
    from (
        select distinct
            people.person_key,
            people.clinic_id,
            people.has_token
        from people
        where
            {{ counted }}
            and people.clinic_id in (
                select delivering.clinic_id from {{ ref('int_measure_clinics') }} as delivering
                where delivering.measure = '{{ measure }}'
            )
    ) as counted

),
{%- endfor %}

categories as (

    {%- for measure, _, fewest in of_people %}
    select
        '{{ measure }}' as measure,
        case
            when not has_token then 'not_known'
            when clinics = 1 then 'one'
            when clinics = 2 then 'two'
            else 'three_or_more'
        end as category,
        person_key,
        clinic_id
    from {{ measure }}_clinics
    where clinics >= {{ fewest }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)

{{ figures('referrals', [['referred_by_network_clinic', 'referred', none]]) }}
union all
select
    measure,
    'network' as clinic_id,
    'clinics_seen' as dimension,
    category,
    cast(count(distinct person_key) as decimal(18, 4)) as numerator,
    cast(null as bigint) as denominator,
    cast(null as decimal(18, 6)) as value,
    count(distinct person_key) as patients,
    count(distinct clinic_id) as clinics,
    count(distinct person_key) as numerator_patients,
    count(distinct clinic_id) as numerator_clinics
from categories
group by measure, category
