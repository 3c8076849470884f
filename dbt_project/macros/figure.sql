{#-
    One measure as figures: for each clinic that delivers what the measure needs and for the network of them,
    for each dimension and category of `rows`.

    `rows` has one row per thing counted, with clinic_id, patient_key, dimension and category. `numerator` and
    `denominator` are summed; a measure without a denominator is a count. The patients and clinics behind a figure
    are those with a part in its denominator, or for a count in its numerator. Those behind its numerator are those
    with a part in it; where it sums scores or minutes (`of_values`), all that are behind the figure.
-#}
{% macro figure(measure, rows, numerator, denominator=none, of_values=false) -%}
    {%- set behind = denominator or numerator -%}
    {%- set behind_numerator = behind if of_values else numerator -%}
    select
        '{{ measure }}' as measure,
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        dimension,
        category,
        cast(coalesce(sum({{ numerator }}), 0) as decimal(18, 4)) as numerator,
        cast({% if denominator %}coalesce(sum({{ denominator }}), 0){% else %}null{% endif %} as bigint) as denominator,
        cast(null as decimal(18, 6)) as value,
        count(distinct case when {{ behind }} > 0 then patient_key end) as patients,
        count(distinct case when {{ behind }} > 0 then clinic_id end) as clinics,
        count(distinct case when {{ behind_numerator }} > 0 then patient_key end) as numerator_patients,
        count(distinct case when {{ behind_numerator }} > 0 then clinic_id end) as numerator_clinics
    from {{ rows }}
    where clinic_id in (select clinic_id from {{ ref('int_measure_clinics') }} where measure = '{{ measure }}')
    group by {{ grouping_sets([['clinic_id', 'dimension', 'category'], ['dimension', 'category']]) }}
{%- endmacro %}
