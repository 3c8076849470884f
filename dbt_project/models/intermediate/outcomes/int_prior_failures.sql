-- SSRIs and SNRIs tried before, a person: how many adequate trials failed (no or partial response, or stopped for
-- intolerance), and whether the first tried was one of the two approved for PTSD in the US (RxNorm 36437 sertraline,
-- 32937 paroxetine).
with tried as (

    select
        *,
        row_number() over (
            partition by patient_key order by start_day nulls last, rxnorm_code nulls last, prior_treatment_key
        ) as order_tried
    from {{ ref('stg_prior_treatments') }}
    where treatment_class in ('ssri', 'snri')

)

select
    clinic_id,
    patient_key,
    sum(
        case
            when
                adequate_trial = 'yes' and treatment_outcome in ('no_response', 'partial_response', 'intolerance')
                then 1
            else 0
        end
    ) as adequate_failures,
    max(
        case
            when order_tried = 1 and start_day is null then 'not_known'
            when order_tried = 1 and rxnorm_code in ('36437', '32937') then 'sertraline_or_paroxetine'
            when order_tried = 1 and rxnorm_code is null then 'not_known'
            when order_tried = 1 then 'another'
        end
    ) as first_antidepressant
from tried
group by clinic_id, patient_key
