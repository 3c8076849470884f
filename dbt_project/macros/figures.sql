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
    {%- set of_measures -%}
    (
        select
            measures.measure,
            of_clinics.clinic_id,
            of_clinics.dimension,
            of_clinics.category,
            {{ chosen_of(measures, 'sum', 1) }} as numerator,
            {{ chosen_of(measures, 'sum', 2) }} as denominator,
            {{ chosen_of(measures, 'patients', 'behind') }} as patients,
            {{ chosen_of(measures, 'sum', 'behind') }} as behind,
            {{ chosen_of(measures, 'patients', 'behind_numerator') }} as numerator_patients,
            {{ chosen_of(measures, 'sum', 'behind_numerator') }} as behind_numerator
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
    {%- endset -%}
    {{ figures_of_clinics(of_measures) }}
{%- endmacro %}


{#-
    Sums of clinics as figures of theirs and of the network. `sums` has a row for each measure, clinic, dimension and
    category: its numerator and denominator, the patients behind it and behind its numerator, and `behind` and
    `behind_numerator`, above zero where the clinic has a part in either.
-#}
{% macro figures_of_clinics(sums) -%}
    select
        measure,
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        dimension,
        category,
        cast(coalesce(sum(numerator), 0) as decimal(18, 4)) as numerator,
        cast(sum(denominator) as bigint) as denominator,
        cast(null as decimal(18, 6)) as value,
        cast(sum(patients) as bigint) as patients,
        count(case when behind > 0 then 1 end) as clinics,
        cast(sum(numerator_patients) as bigint) as numerator_patients,
        count(case when behind_numerator > 0 then 1 end) as numerator_clinics
    from {{ sums }}
    group by {{ grouping_sets([
        ['measure', 'clinic_id', 'dimension', 'category'], ['measure', 'dimension', 'category'],
    ]) }}
{%- endmacro %}


{#-
    Sums of people, of the relation `sums` by clinic, instrument, time point and group, as figures of the measures of
    instruments. `quantities` is a list of [quantity, numerator, denominator], as the measures of `figures`; where its
    denominator is empty there is nothing to tell. A quantity is an SQL expression.
-#}
{% macro figures_of_instruments(sums, quantities) -%}
    {%- set of_measures -%}
    (
        select
            measures.measure,
            of_clinics.*,
            of_clinics.patients as behind,
            of_clinics.numerator_patients as behind_numerator
        from (
            {%- for quantity in quantities %}
            {%- set behind = quantity[2] or quantity[1] %}
            select
                clinic_id,
                instrument,
                time_point,
                {{ quantity[0] }} as quantity,
                dimension,
                category,
                {{ quantity[1] }} as numerator,
                {{ quantity[2] or 'null' }} as denominator,
                {{ behind }} as patients,
                {{ behind if quantity | length > 3 else quantity[1] }} as numerator_patients
            from {{ sums }}
            where {{ behind }} is not null
            {%- if not loop.last %}
            union all
            {%- endif %}
            {%- endfor %}
        ) as of_clinics
        inner join {{ ref('int_measures') }} as measures
            on
                of_clinics.instrument = measures.instrument
                and of_clinics.time_point = measures.time_point
                and of_clinics.quantity = measures.quantity
        inner join {{ ref('int_measure_clinics') }} as delivering
            on measures.measure = delivering.measure and of_clinics.clinic_id = delivering.clinic_id
    ) as of_measures
    {%- endset -%}
    {{ figures_of_clinics(of_measures) }}
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
