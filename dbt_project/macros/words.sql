{#- A template of words with its places filled in: the instrument, the time point, and the threshold in use. -#}
{% macro filled_in(template) -%}
    replace(replace(replace(replace(
        {{ template }}, '{instrument}', instrument_label
    ), '{time_point}', time_point_label), '{in_text}', label_in_text), '{value}', coalesce(threshold_text, ''))
{%- endmacro %}


{#- Words with the places of dbt's variables filled in: the target of first contact, and what sessions are judged by. -#}
{% macro with_settings(words) -%}
    {%- set places = [
        'contact_target_days', 'infusion_target_minutes', 'infusion_tolerance_minutes', 'recovery_target_minutes',
        'hypertension_systolic_mmhg', 'hypertension_diastolic_mmhg',
        'hypertension_rise_systolic_mmhg', 'hypertension_rise_diastolic_mmhg',
    ] -%}
    {%- for place in places %}replace({% endfor -%}
    {{ words }}
    {%- for place in places %}, '{{ '{' ~ place ~ '}' }}', '{{ var(place) }}'){% endfor -%}
{%- endmacro %}


{#- A template with the places of a cluster filled in: its letter and its name. -#}
{% macro cluster_named(template) -%}
    replace(replace({{ template }}, '{letter}', upper(cluster)), '{cluster_label}', cluster_label)
{%- endmacro %}


{#-
    The name of a count of a questionnaire, from its template. Who is watched until the window of a time point opens is a
    count of no questionnaire; between a first and a last score there is no window, and who has a first is of one.
-#}
{% macro count_named(template) -%}
    replace(replace(replace(
        {{ template }},
        '{watched}', case time_point when 'first_to_last' then '{instrument}_{time_point}_watched' else 'watched_{time_point}' end
    ), '{instrument}', instrument), '{time_point}', time_point)
{%- endmacro %}
