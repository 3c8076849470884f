-- Who of a clinic's people is known in which other clinic, and whom the network sent. The row without a clinic of
-- origin is of people whom a clinic of the network referred, but who are known in no other clinic or in several.
with people as (

    select * from {{ ref('int_network_people') }}

),

elsewhere as (

    select * from {{ ref('int_people_elsewhere') }}

),

pairs as (

    select
        elsewhere.other_clinic_id as from_clinic_id,
        people.clinic_id as to_clinic_id,
        people.patient_key,
        true as is_known_in_both,
        people.is_treated and elsewhere.is_treated_there as is_treated_in_both,
        people.is_referred_by_network and elsewhere.other_clinics = 1 as is_referred,
        people.is_referred_by_network and elsewhere.other_clinics = 1 and people.is_referred_and_treated
            as is_referred_and_treated
    from elsewhere
    inner join people on elsewhere.patient_key = people.patient_key

),

of_unknown_origin as (

    select
        cast(null as varchar) as from_clinic_id,
        people.clinic_id as to_clinic_id,
        people.patient_key,
        false as is_known_in_both,
        false as is_treated_in_both,
        true as is_referred,
        people.is_referred_and_treated
    from people
    where
        people.is_referred_by_network
        and people.patient_key not in (
            select pairs.patient_key from pairs
            where pairs.is_referred
        )

),

flows as (

    select * from pairs
    union all
    select * from of_unknown_origin

)

select
    from_clinic_id,
    to_clinic_id,
    count(distinct case when is_known_in_both then patient_key end) as people_known_in_both,
    count(distinct case when is_treated_in_both then patient_key end) as people_treated_in_both,
    count(distinct case when is_referred then patient_key end) as people_referred,
    count(distinct case when is_referred_and_treated then patient_key end) as people_referred_and_treated
from flows
group by from_clinic_id, to_clinic_id
