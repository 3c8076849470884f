{#-
    Quantiles. DuckDB has none: `clinic_outcomes.statistics.dbt_plugin` registers functions of these names, which give
    null for null and outside their domain. Another engine brings its own under its prefix.
-#}
{% macro normal_quantile(probability) -%}
    {{ return(adapter.dispatch('normal_quantile')(probability)) }}
{%- endmacro %}

{% macro default__normal_quantile(probability) -%}
    normal_quantile(cast({{ probability }} as double))
{%- endmacro %}


{% macro student_t_quantile(probability, degrees_of_freedom) -%}
    {{ return(adapter.dispatch('student_t_quantile')(probability, degrees_of_freedom)) }}
{%- endmacro %}

{% macro default__student_t_quantile(probability, degrees_of_freedom) -%}
    student_t_quantile(cast({{ probability }} as double), cast({{ degrees_of_freedom }} as double))
{%- endmacro %}


{% macro chi_square_quantile(probability, degrees_of_freedom) -%}
    {{ return(adapter.dispatch('chi_square_quantile')(probability, degrees_of_freedom)) }}
{%- endmacro %}

{% macro default__chi_square_quantile(probability, degrees_of_freedom) -%}
    chi_square_quantile(cast({{ probability }} as double), cast({{ degrees_of_freedom }} as double))
{%- endmacro %}


{% macro beta_quantile(probability, a, b) -%}
    {{ return(adapter.dispatch('beta_quantile')(probability, a, b)) }}
{%- endmacro %}

{% macro default__beta_quantile(probability, a, b) -%}
    beta_quantile(cast({{ probability }} as double), cast({{ a }} as double), cast({{ b }} as double))
{%- endmacro %}
