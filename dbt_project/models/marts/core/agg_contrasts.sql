{%- set n = [
    'categories.paired', 'categories.change_mean', 'categories.change_sd',
    'controls.paired', 'controls.change_mean', 'controls.change_sd',
] -%}
{%- set spread = ['categories.paired', 'categories.change_sd', 'controls.paired', 'controls.change_sd'] -%}
{%- set events = [
    'categories.response', 'categories.judged_response', 'controls.response', 'controls.judged_response',
] -%}

-- Each category of a dimension against its reference, at each clinic and in the network: change and response at the
-- end of the course, at week 2 and at the last score. Differences are category minus reference; a lower change is
-- better. Who was treated under both protocols is in both categories.
with outcomes as (

    select * from {{ ref('agg_outcomes') }}
    where time_point in ('course_end', 'week_2', 'last') and paired > 0

),

differences as (

    select
        categories.clinic_id,
        categories.instrument,
        categories.time_point,
        categories.dimension,
        categories.category,
        controls.category as reference_category,
        categories.paired as n,
        controls.paired as reference_n,
        categories.change_mean,
        categories.change_sd,
        controls.change_mean as reference_change_mean,
        controls.change_sd as reference_change_sd,
        categories.change_mean - controls.change_mean as mean_difference,
        {{ welch_degrees_of_freedom(*spread) }} as degrees_of_freedom,
        {{ welch_lower(*n) }} as mean_difference_lower,
        {{ welch_upper(*n) }} as mean_difference_upper,
        {{ cohens_d(*n) }} as cohens_d,
        {{ hedges_g(cohens_d(*n), 'categories.paired', 'controls.paired') }} as hedges_g,
        categories.judged_response,
        categories.response,
        controls.judged_response as reference_judged_response,
        controls.response as reference_response,
        {{ share_difference(*events) }} as risk_difference,
        {{ newcombe_lower(*events) }} as risk_difference_lower,
        {{ newcombe_upper(*events) }} as risk_difference_upper,
        {{ risk_ratio(*events) }} as risk_ratio,
        {{ risk_ratio_lower(*events) }} as risk_ratio_lower,
        {{ risk_ratio_upper(*events) }} as risk_ratio_upper
    from outcomes as categories
    inner join {{ ref('int_contrast_references') }} as compared on categories.dimension = compared.dimension
    inner join outcomes as controls
        on
            categories.clinic_id = controls.clinic_id
            and categories.instrument = controls.instrument
            and categories.time_point = controls.time_point
            and categories.dimension = controls.dimension
            and compared.reference_category = controls.category
    where
        categories.category not in (
            select others.reference_category from {{ ref('int_contrast_references') }} as others
            where others.dimension = categories.dimension
        )

)

select
    *,
    {{ cohens_d_lower('cohens_d', 'n', 'reference_n') }} as cohens_d_lower,
    {{ cohens_d_upper('cohens_d', 'n', 'reference_n') }} as cohens_d_upper,
    {{ cohens_d_lower('hedges_g', 'n', 'reference_n') }} as hedges_g_lower,
    {{ cohens_d_upper('hedges_g', 'n', 'reference_n') }} as hedges_g_upper
from differences
