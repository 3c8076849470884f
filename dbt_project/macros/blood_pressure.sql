{#- Whether a pressure reaches either limit of treatment-emergent hypertension; a part that is missing reaches none. -#}
{% macro reaches_hypertension(systolic, diastolic) -%}
    (
        coalesce({{ systolic }} >= {{ var("hypertension_systolic_mmhg") }}, false)
        or coalesce({{ diastolic }} >= {{ var("hypertension_diastolic_mmhg") }}, false)
    )
{%- endmacro %}


{#-
    CTCAE v5 grade that the numbers of an adult's pressure alone give: 0 below grade 1. Its grades 4 and 5 are judgements
    of a clinician, and so is what it says of treatment and of lasting.
-#}
{% macro ctcae_pressure_grade(systolic, diastolic) -%}
    case
        when {{ systolic }} is null or {{ diastolic }} is null then null
        when {{ systolic }} >= 160 or {{ diastolic }} >= 100 then 3
        when {{ systolic }} >= 140 or {{ diastolic }} >= 90 then 2
        when {{ systolic }} >= 120 or {{ diastolic }} >= 80 then 1
        else 0
    end
{%- endmacro %}
