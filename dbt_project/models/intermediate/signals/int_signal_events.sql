-- Who had a treatment-emergent event of which term, once a clinic, protocol and drug. The drug is that of the session
-- an event is tied to, else each drug of the course it belongs to; the protocol is that of the course. An event of
-- neither counts for its clinic alone, and a term that could not be mapped is none.
with events as (

    select * from {{ ref('fct_adverse_events') }}
    where is_treatment_emergent and is_mapped

),

course_drugs as (

    select distinct
        course_key,
        drug
    from {{ ref('fct_sessions') }}

),

of_axes as (

    select
        'clinic' as axis,
        clinic_id as category,
        patient_key,
        term
    from events
    union
    select
        'protocol' as axis,
        protocol as category,
        patient_key,
        term
    from events
    union
    select
        'drug' as axis,
        coalesce(events.drug, course_drugs.drug) as category,
        events.patient_key,
        events.term
    from events
    left join course_drugs on events.course_key = course_drugs.course_key and events.drug is null

)

-- Only of those who are counted as treated there: an event may be tied to a course without a session.
select of_axes.*
from of_axes
inner join {{ ref('int_signal_people') }} as people
    on
        of_axes.axis = people.axis
        and of_axes.category = people.category
        and of_axes.patient_key = people.patient_key
