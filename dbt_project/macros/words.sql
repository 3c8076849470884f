{#- A template of words with its places filled in: the instrument, the time point, and the threshold in use. -#}
{% macro filled_in(template) -%}
    replace(replace(replace(replace(
        {{ template }}, '{instrument}', instrument_label
    ), '{time_point}', time_point_label), '{in_text}', label_in_text), '{value}', coalesce(threshold_text, ''))
{%- endmacro %}
