{#-
    Quotient of two exact numbers as DECIMAL(18,6), rounded half away from zero, in whole numbers only: no floating
    point, so every machine and thread count gives the same digits. Null where the denominator is zero or null.
    `numerator` is a DECIMAL(18,4), `denominator` a BIGINT that is not negative.
-#}
{% macro exact_ratio(numerator, denominator) -%}
    cast(
        sign({{ numerator }}) * {{ integer_quotient(
            'cast(abs(' ~ numerator ~ ') * 10000 as ' ~ wide_integer() ~ ') * 200 + ' ~ denominator,
            'nullif(2 * cast(' ~ denominator ~ ' as ' ~ wide_integer() ~ '), 0)'
        ) }} as decimal(18, 0)
    ) * cast(0.000001 as decimal(7, 6))
{%- endmacro %}


{#- Whole quotient of two whole numbers that are not negative. -#}
{% macro integer_quotient(dividend, divisor) -%}
    {{ return(adapter.dispatch('integer_quotient')(dividend, divisor)) }}
{%- endmacro %}

{% macro default__integer_quotient(dividend, divisor) -%}
    (({{ dividend }}) div ({{ divisor }}))
{%- endmacro %}

{% macro duckdb__integer_quotient(dividend, divisor) -%}
    (({{ dividend }}) // ({{ divisor }}))
{%- endmacro %}


{#- A whole-number type wide enough for a numerator with ten decimal places shifted in. -#}
{% macro wide_integer() -%}
    {{ return(adapter.dispatch('wide_integer')()) }}
{%- endmacro %}

{% macro default__wide_integer() -%}
    decimal(38, 0)
{%- endmacro %}

{% macro duckdb__wide_integer() -%}
    hugeint
{%- endmacro %}
