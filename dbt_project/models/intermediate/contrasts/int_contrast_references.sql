-- What a category is compared with: those of the seed, and of trial arms the ones that were given the reference
-- protocol.
with written as (

    select * from {{ ref('contrast_references') }}

),

arms as (

    select trial_arm
    from {{ ref('fct_index_courses') }}
    where trial_arm is not null
    group by trial_arm
    having
        bool_and(
            protocol in (
                select written.reference_category from written
                where written.dimension = 'protocol'
            )
        )

)

select
    dimension,
    reference_category
from written
union all
select
    'trial_arm' as dimension,
    trial_arm as reference_category
from arms
