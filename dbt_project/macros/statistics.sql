{#-
    The formulae of clinic_outcomes.statistics in SQL; that package names their sources. Arguments are SQL expressions,
    results are DOUBLE. What cannot be computed (fewer than two values, no spread) is null, never zero.

    Results come from sums that are exact, in one expression each: the same rows give the same digits in any order.
-#}


{#-
    Standard deviation of a sample from exact sums: `n` rows, their `total` DECIMAL(18,4) and their
    `total_of_squares` as DECIMAL(28,8). Null for fewer than two rows.
-#}
{% macro sample_sd(n, total, total_of_squares) -%}
    sqrt(
        cast(
            cast({{ n }} as {{ wide_integer() }})
            * cast(cast({{ total_of_squares }} as decimal(28, 8)) * cast(100000000 as decimal(9, 0)) as {{ wide_integer() }})
            - cast(cast({{ total }} as decimal(18, 4)) * 10000 as {{ wide_integer() }})
            * cast(cast({{ total }} as decimal(18, 4)) * 10000 as {{ wide_integer() }})
            as double
        )
        / case when {{ n }} > 1 then 100000000.0 * {{ n }} * ({{ n }} - 1) end
    )
{%- endmacro %}


{#- Student's interval of a mean, lower and upper end. -#}
{% macro mean_lower(n, mean, sd, confidence=0.95) -%}
    ({{ mean }} - {{ half_width_of_mean(n, sd, confidence) }})
{%- endmacro %}

{% macro mean_upper(n, mean, sd, confidence=0.95) -%}
    ({{ mean }} + {{ half_width_of_mean(n, sd, confidence) }})
{%- endmacro %}

{% macro half_width_of_mean(n, sd, confidence=0.95) -%}
    {{ student_t_quantile((1 + confidence) / 2, n ~ ' - 1') }} * {{ sd }} / sqrt({{ n }})
{%- endmacro %}


{#- Wilson's interval of a share, lower and upper end; null for a denominator of zero. -#}
{% macro wilson_lower(numerator, denominator, confidence=0.95) -%}
    {{ wilson_end('-', numerator, denominator, confidence) }}
{%- endmacro %}

{% macro wilson_upper(numerator, denominator, confidence=0.95) -%}
    {{ wilson_end('+', numerator, denominator, confidence) }}
{%- endmacro %}

{% macro wilson_end(sign, numerator, denominator, confidence) -%}
    {%- set z = normal_quantile((1 + confidence) / 2) -%}
    case
        when {{ denominator }} > 0 and {{ numerator }} = {% if sign == '-' %}0{% else %}{{ denominator }}{% endif %}
            then cast({% if sign == '-' %}0{% else %}1{% endif %} as double)
        when {{ denominator }} > 0
            then (
                cast({{ numerator }} as double) + {{ z }} * {{ z }} / 2 {{ sign }} {{ z }} * sqrt(
                    cast({{ numerator }} as double) * (cast({{ denominator }} as double) - {{ numerator }}) / {{ denominator }}
                    + {{ z }} * {{ z }} / 4
                )
            ) / ({{ denominator }} + {{ z }} * {{ z }})
    end
{%- endmacro %}


{#- Welch's degrees of freedom; n1 + n2 - 2 where neither group has any spread. -#}
{% macro welch_degrees_of_freedom(n_1, sd_1, n_2, sd_2) -%}
    case
        when {{ n_1 }} > 1 and {{ n_2 }} > 1 and {{ sd_1 }} = 0 and {{ sd_2 }} = 0 then {{ n_1 }} + {{ n_2 }} - 2
        when {{ n_1 }} > 1 and {{ n_2 }} > 1
            then power({{ welch_variance(n_1, sd_1, n_2, sd_2) }}, 2) / (
                power({{ sd_1 }} * {{ sd_1 }} / {{ n_1 }}, 2) / ({{ n_1 }} - 1)
                + power({{ sd_2 }} * {{ sd_2 }} / {{ n_2 }}, 2) / ({{ n_2 }} - 1)
            )
    end
{%- endmacro %}

{#- Squared standard error of a difference of means. -#}
{% macro welch_variance(n_1, sd_1, n_2, sd_2) -%}
    ({{ sd_1 }} * {{ sd_1 }} / {{ n_1 }} + {{ sd_2 }} * {{ sd_2 }} / {{ n_2 }})
{%- endmacro %}

{#- Welch's interval of the first minus the second mean, lower and upper end. -#}
{% macro welch_lower(n_1, mean_1, sd_1, n_2, mean_2, sd_2, confidence=0.95) -%}
    ({{ mean_1 }} - {{ mean_2 }} - {{ half_width_of_difference(n_1, sd_1, n_2, sd_2, confidence) }})
{%- endmacro %}

{% macro welch_upper(n_1, mean_1, sd_1, n_2, mean_2, sd_2, confidence=0.95) -%}
    ({{ mean_1 }} - {{ mean_2 }} + {{ half_width_of_difference(n_1, sd_1, n_2, sd_2, confidence) }})
{%- endmacro %}

{% macro half_width_of_difference(n_1, sd_1, n_2, sd_2, confidence=0.95) -%}
    {{ student_t_quantile((1 + confidence) / 2, welch_degrees_of_freedom(n_1, sd_1, n_2, sd_2)) }}
    * sqrt({{ welch_variance(n_1, sd_1, n_2, sd_2) }})
{%- endmacro %}


{#- Pooled standard deviation of two groups. -#}
{% macro pooled_sd(n_1, sd_1, n_2, sd_2) -%}
    sqrt(
        (({{ n_1 }} - 1) * {{ sd_1 }} * {{ sd_1 }} + ({{ n_2 }} - 1) * {{ sd_2 }} * {{ sd_2 }})
        / nullif({{ n_1 }} + {{ n_2 }} - 2, 0)
    )
{%- endmacro %}

{#- Cohen's d of the first minus the second group; null without spread. -#}
{% macro cohens_d(n_1, mean_1, sd_1, n_2, mean_2, sd_2) -%}
    (({{ mean_1 }} - {{ mean_2 }}) / nullif({{ pooled_sd(n_1, sd_1, n_2, sd_2) }}, 0))
{%- endmacro %}

{#- Interval of a known `d`, which may be Hedges' g, between groups of `n_1` and `n_2`: lower and upper end. -#}
{% macro cohens_d_lower(d, n_1, n_2, confidence=0.95) -%}
    ({{ d }} - {{ half_width_of_d(d, n_1, n_2, confidence) }})
{%- endmacro %}

{% macro cohens_d_upper(d, n_1, n_2, confidence=0.95) -%}
    ({{ d }} + {{ half_width_of_d(d, n_1, n_2, confidence) }})
{%- endmacro %}

{% macro half_width_of_d(d, n_1, n_2, confidence=0.95) -%}
    {{ normal_quantile((1 + confidence) / 2) }} * sqrt(
        cast({{ n_1 }} + {{ n_2 }} as double) / nullif(cast({{ n_1 }} as double) * {{ n_2 }}, 0)
        + {{ d }} * {{ d }} / (2.0 * ({{ n_1 }} + {{ n_2 }}))
    )
{%- endmacro %}

{#- Hedges' g from Cohen's d, with the correction 1 - 3 / (4 df - 1) for small samples, df = n1 + n2 - 2. -#}
{% macro hedges_g(d, n_1, n_2) -%}
    ({{ d }} * case when {{ n_1 }} + {{ n_2 }} > 3 then 1 - 3.0 / (4.0 * ({{ n_1 }} + {{ n_2 }} - 2) - 1) end)
{%- endmacro %}
