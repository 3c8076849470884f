{%- set judgements = ['is_resolved_by_discharge', 'is_resolved_within_2_hours', 'is_resolved_within_24_hours'] -%}
{%- set longer_than_all = 1000000000 -%}

-- When treatment-emergent adverse events begin and end. The medians are of events with a beginning in minutes. One that
-- did not end, or ended two days later or more with no minutes, lasted longer than all others; one that ended by the
-- next day, nobody knows when, is not among them. Where more than half lasted longer than all others, no median.
with events as (

    select
        clinic_id,
        patient_key,
        term,
        protocol,
        onset_minutes,
        case
            when onset_minutes is null then null
            when resolution_minutes is not null then resolution_minutes
            when not is_resolved_within_24_hours then {{ longer_than_all }}
        end as resolution_minutes,
        {%- for judgement in judgements %}
        case when {{ judgement }} then 1 else 0 end as {{ judgement }},
        case when {{ judgement }} is not null then 1 else 0 end as knows_{{ judgement }},
        {%- endfor %}
        1 as counted,
        case when is_resolved then 0 else 1 end as has_no_end
    from {{ ref('fct_adverse_events') }}
    where is_treatment_emergent

),

told as (

    {{ along('events', ['term', 'protocol']) }}

),

medians as (

    {%- for name in ['onset', 'resolution'] %}
    select
        '{{ name }}_minutes_median' as measure,
        case when grouping(told.clinic_id) = 1 then 'network' else told.clinic_id end as clinic_id,
        told.dimension,
        told.category,
        percentile_cont(0.5) within group (order by told.{{ name }}_minutes) as median_minutes,
        count(distinct told.patient_key) as patients,
        count(distinct told.clinic_id) as clinics
    from told
    inner join {{ ref('int_measure_clinics') }} as delivering
        on told.clinic_id = delivering.clinic_id and delivering.measure = '{{ name }}_minutes_median'
    where told.{{ name }}_minutes is not null
    group by {{ grouping_sets([
        ['told.clinic_id', 'told.dimension', 'told.category'], ['told.dimension', 'told.category'],
    ]) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)

select
    measure,
    clinic_id,
    dimension,
    category,
    cast(null as decimal(18, 4)) as numerator,
    patients as denominator,
    cast(case when median_minutes < {{ longer_than_all }} / 4 then median_minutes end as decimal(18, 6)) as value,
    patients,
    clinics,
    patients as numerator_patients,
    clinics as numerator_clinics
from medians
union all
{{ figures('told', [
    ['resolved_by_discharge_share', 'is_resolved_by_discharge', 'knows_is_resolved_by_discharge'],
    ['resolved_within_2_hours_share', 'is_resolved_within_2_hours', 'knows_is_resolved_within_2_hours'],
    ['resolved_within_24_hours_share', 'is_resolved_within_24_hours', 'knows_is_resolved_within_24_hours'],
    ['end_not_recorded_share', 'has_no_end', 'counted'],
]) }}
