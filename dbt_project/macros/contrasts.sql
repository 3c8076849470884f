{#-
    Two groups of people compared. Arguments are SQL expressions, results DOUBLE; null where a group has nobody, or nobody
    with an event where a ratio needs one. The formulae of clinic_outcomes.statistics in SQL, beside statistics.sql.
-#}


{#- Newcombe's interval of the difference of two independent shares, first minus second: lower and upper end. -#}
{% macro newcombe_lower(events_1, n_1, events_2, n_2, confidence=0.95) -%}
    (
        {{ share_difference(events_1, n_1, events_2, n_2) }}
        - {{ newcombe_reach(events_1, n_1, wilson_lower(events_1, n_1, confidence), events_2, n_2,
            wilson_upper(events_2, n_2, confidence)) }}
    )
{%- endmacro %}

{% macro newcombe_upper(events_1, n_1, events_2, n_2, confidence=0.95) -%}
    (
        {{ share_difference(events_1, n_1, events_2, n_2) }}
        + {{ newcombe_reach(events_1, n_1, wilson_upper(events_1, n_1, confidence), events_2, n_2,
            wilson_lower(events_2, n_2, confidence)) }}
    )
{%- endmacro %}

{#- First minus second share. -#}
{% macro share_difference(events_1, n_1, events_2, n_2) -%}
    (cast({{ events_1 }} as double) / nullif({{ n_1 }}, 0) - cast({{ events_2 }} as double) / nullif({{ n_2 }}, 0))
{%- endmacro %}

{#- How far an end lies from the difference, given the ends of the shares' own intervals that make it. -#}
{% macro newcombe_reach(events_1, n_1, end_1, events_2, n_2, end_2) -%}
    sqrt(
        power(cast({{ events_1 }} as double) / nullif({{ n_1 }}, 0) - {{ end_1 }}, 2)
        + power({{ end_2 }} - cast({{ events_2 }} as double) / nullif({{ n_2 }}, 0), 2)
    )
{%- endmacro %}


{#- First over second share, and its interval on the logarithm's scale: lower and upper end. -#}
{% macro risk_ratio(events_1, n_1, events_2, n_2) -%}
    (cast({{ events_1 }} as double) * {{ n_2 }} / nullif(cast({{ n_1 }} as double) * {{ events_2 }}, 0))
{%- endmacro %}

{% macro risk_ratio_lower(events_1, n_1, events_2, n_2, confidence=0.95) -%}
    {{ risk_ratio(events_1, n_1, events_2, n_2) }}
    * exp(-{{ half_width_of_log_ratio(events_1, n_1, events_2, n_2, confidence) }})
{%- endmacro %}

{% macro risk_ratio_upper(events_1, n_1, events_2, n_2, confidence=0.95) -%}
    {{ risk_ratio(events_1, n_1, events_2, n_2) }}
    * exp({{ half_width_of_log_ratio(events_1, n_1, events_2, n_2, confidence) }})
{%- endmacro %}

{#- Katz et al. 1978, Biometrics 34:469. -#}
{% macro half_width_of_log_ratio(events_1, n_1, events_2, n_2, confidence=0.95) -%}
    ({{ normal_quantile((1 + confidence) / 2) }} * sqrt(
        1.0 / nullif({{ events_1 }}, 0) - 1.0 / nullif({{ n_1 }}, 0)
        + 1.0 / nullif({{ events_2 }}, 0) - 1.0 / nullif({{ n_2 }}, 0)
    ))
{%- endmacro %}
