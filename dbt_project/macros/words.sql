{#- A template of words with its places filled in: the instrument, the time point, and the threshold in use. -#}
{% macro filled_in(template) -%}
    replace(replace(replace(replace(
        {{ template }}, '{instrument}', instrument_label
    ), '{time_point}', time_point_label), '{in_text}', label_in_text), '{value}', coalesce(threshold_text, ''))
{%- endmacro %}


{#- Words with the places of dbt's variables filled in: the target of first contact. -#}
{% macro with_settings(words) -%}
    replace({{ words }}, '{contact_target_days}', '{{ var("contact_target_days") }}')
{%- endmacro %}


{#- A template with the places of a cluster filled in: its letter and its name. -#}
{% macro cluster_named(template) -%}
    replace(replace({{ template }}, '{letter}', upper(cluster)), '{cluster_label}', cluster_label)
{%- endmacro %}
