{#-
    Measures of the same rows as figures: for each clinic that delivers what a measure needs and for the network of
    them, for each dimension and category of `rows`, in one pass over the rows.

    `rows` has one row per thing counted, with clinic_id, patient_key, dimension and category. `measures` is a list of
    [measure, numerator, denominator], the latter two columns of `rows` that are summed; a measure without a denominator
    is a count. The patients and clinics behind a figure are those with a part in its denominator, or for a count in its
    numerator. Those behind its numerator are those with a part in it; where it sums scores, days or minutes (a fourth
    entry, `of_values`), all that are behind the figure. Patients are told apart by clinic, so that the network's numbers
    are the sums of its clinics'.
-#}
{% macro figures(rows, measures) -%}
    {%- set columns = [] -%}
    {%- for measure in measures -%}
        {%- for column in measure[1:3] if column and column not in columns -%}
            {%- do columns.append(column) -%}
        {%- endfor -%}
    {%- endfor -%}
    select
        measure,
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        dimension,
        category,
        cast(coalesce(sum(numerator), 0) as decimal(18, 4)) as numerator,
        cast(sum(denominator) as bigint) as denominator,
        cast(null as decimal(18, 6)) as value,
        cast(sum(patients) as bigint) as patients,
        count(case when is_behind then 1 end) as clinics,
        cast(sum(numerator_patients) as bigint) as numerator_patients,
        count(case when is_behind_numerator then 1 end) as numerator_clinics
    from (
        select
            measures.measure,
            of_clinics.clinic_id,
            of_clinics.dimension,
            of_clinics.category,
            {{ chosen_of(measures, 'sum', 1) }} as numerator,
            {{ chosen_of(measures, 'sum', 2) }} as denominator,
            {{ chosen_of(measures, 'patients', 'behind') }} as patients,
            {{ chosen_of(measures, 'sum', 'behind') }} > 0 as is_behind,
            {{ chosen_of(measures, 'patients', 'behind_numerator') }} as numerator_patients,
            {{ chosen_of(measures, 'sum', 'behind_numerator') }} > 0 as is_behind_numerator
        from (
            select
                clinic_id,
                dimension,
                category,
                {%- for column in columns %}
                coalesce(sum({{ column }}), 0) as sum_{{ column }},
                count(case when {{ column }} > 0 then patient_key end) as patients_{{ column }}
                {{- ',' if not loop.last }}
                {%- endfor %}
            from (
                select
                    clinic_id,
                    patient_key,
                    dimension,
                    category,
                    {%- for column in columns %}
                    sum({{ column }}) as {{ column }}{{ ',' if not loop.last }}
                    {%- endfor %}
                from {{ rows }}
                group by clinic_id, patient_key, dimension, category
            ) as of_people
            group by clinic_id, dimension, category
        ) as of_clinics
        inner join {{ ref('int_measure_clinics') }} as measures
            on
                of_clinics.clinic_id = measures.clinic_id
                and measures.measure in {{ quoted(measures | map('first') | list) }}
    ) as of_measures
    group by {{ grouping_sets([
        ['measure', 'clinic_id', 'dimension', 'category'], ['measure', 'dimension', 'category'],
    ]) }}
{%- endmacro %}


{#- The column that a measure has in a place: 1 its numerator, 2 its denominator, or who is behind either. -#}
{% macro chosen_of(measures, kind, place) -%}
    case measures.measure
        {%- for measure in measures %}
        {%- set behind = measure[2] or measure[1] -%}
        {%- set of_values = measure | length > 3 -%}
        {%- if place == 'behind' -%}
            {%- set column = behind -%}
        {%- elif place == 'behind_numerator' -%}
            {%- set column = behind if of_values else measure[1] -%}
        {%- else -%}
            {%- set column = measure[place] -%}
        {%- endif %}
        when '{{ measure[0] }}' then {% if column %}{{ kind }}_{{ column }}{% else %}null{% endif %}
        {%- endfor %}
    end
{%- endmacro %}
