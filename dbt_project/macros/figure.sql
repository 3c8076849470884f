{#-
    One measure as figures: for each clinic that delivers what the measure needs and for the network of them,
    for each dimension and category of `rows`.

    `rows` has one row per thing counted, with clinic_id, patient_key, dimension and category. `numerator` and
    `denominator` are summed; a measure without a denominator is a count. The patients and clinics behind a figure
    are those with a part in its denominator, or for a count in its numerator.
-#}
{% macro figure(measure, rows, numerator, denominator=none) -%}
    {%- set behind = denominator or numerator -%}
    select
        '{{ measure }}' as measure,
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        dimension,
        category,
        cast(coalesce(sum({{ numerator }}), 0) as decimal(18, 4)) as numerator,
        cast({% if denominator %}coalesce(sum({{ denominator }}), 0){% else %}null{% endif %} as bigint) as denominator,
        count(distinct case when {{ behind }} > 0 then patient_key end) as patients,
        count(distinct case when {{ behind }} > 0 then clinic_id end) as clinics
    from {{ rows }}
    where clinic_id in (select clinic_id from {{ ref('int_measure_clinics') }} where measure = '{{ measure }}')
    group by {{ grouping_sets([['clinic_id', 'dimension', 'category'], ['dimension', 'category']]) }}
{%- endmacro %}
