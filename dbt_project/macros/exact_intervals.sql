{#-
    Exact and nearly exact intervals of shares and of rates of events; the formulae of clinic_outcomes.statistics.intervals
    in SQL. Arguments are SQL expressions, results DOUBLE and never negative. Null where not estimable: a denominator or an
    exposure that is null, zero or less, or counts that cannot be.
-#}


{#- Clopper and Pearson's interval of a share, lower and upper end. -#}
{% macro clopper_pearson_lower(numerator, denominator, confidence=0.95) -%}
    case
        when {{ denominator }} > 0 and {{ numerator }} = 0 then cast(0 as double)
        when {{ denominator }} > 0 and {{ numerator }} between 0 and {{ denominator }}
            then {{ beta_quantile((1 - confidence) / 2, numerator, denominator ~ ' - ' ~ numerator ~ ' + 1') }}
    end
{%- endmacro %}

{% macro clopper_pearson_upper(numerator, denominator, confidence=0.95) -%}
    case
        when {{ denominator }} > 0 and {{ numerator }} = {{ denominator }} then cast(1 as double)
        when {{ denominator }} > 0 and {{ numerator }} between 0 and {{ denominator }}
            then {{ beta_quantile(1 - (1 - confidence) / 2, numerator ~ ' + 1', denominator ~ ' - ' ~ numerator) }}
    end
{%- endmacro %}


{#- Upper end of a one-sided interval of a share of which nothing was seen in `n`. -#}
{% macro upper_bound_of_none(n, confidence=0.95) -%}
    case when {{ n }} > 0 then 1 - power(cast({{ 1 - confidence }} as double), 1 / cast({{ n }} as double)) end
{%- endmacro %}


{#- Garwood's exact Poisson interval of a rate, `events` a unit of `exposure`, lower and upper end. -#}
{% macro garwood_lower(events, exposure, confidence=0.95) -%}
    case
        when {{ exposure }} > 0 and {{ events }} = 0 then cast(0 as double)
        when {{ exposure }} > 0 and {{ events }} > 0
            then {{ chi_square_quantile((1 - confidence) / 2, '2 * (' ~ events ~ ')') }} / 2
                / cast({{ exposure }} as double)
    end
{%- endmacro %}

{% macro garwood_upper(events, exposure, confidence=0.95) -%}
    case
        when {{ exposure }} > 0 and {{ events }} >= 0
            then {{ chi_square_quantile(1 - (1 - confidence) / 2, '2 * (' ~ events ~ ') + 2') }} / 2
                / cast({{ exposure }} as double)
    end
{%- endmacro %}


{#- Byar's approximation of it. -#}
{% macro byar_lower(events, exposure, confidence=0.95) -%}
    case
        when {{ exposure }} > 0 and {{ events }} = 0 then cast(0 as double)
        when {{ exposure }} > 0 and {{ events }} > 0
            then greatest(0, {{ byar_end('-', events, confidence) }}) / cast({{ exposure }} as double)
    end
{%- endmacro %}

{% macro byar_upper(events, exposure, confidence=0.95) -%}
    case
        when {{ exposure }} > 0 and {{ events }} >= 0
            then {{ byar_end('+', '(' ~ events ~ ' + 1)', confidence) }} / cast({{ exposure }} as double)
    end
{%- endmacro %}

{% macro byar_end(sign, events, confidence) -%}
    {%- set number = 'cast(' ~ events ~ ' as double)' -%}
    {{ number }} * power(
        1 - 1 / (9 * {{ number }}) {{ sign }} {{ normal_quantile((1 + confidence) / 2) }} / (3 * sqrt({{ number }})), 3
    )
{%- endmacro %}
