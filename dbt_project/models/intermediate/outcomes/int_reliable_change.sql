{{ config(materialized='table') }}

-- Jacobson and Truax: how much a total changes by errors of measurement alone, from the SD of this network's baselines
-- or a published one, and the cut-off c between the people treated and the general population. Baselines are those of
-- the study population.
with sample as (

    select
        baselines.instrument,
        count(*) as people,
        sum(baselines.total_score) as baseline_sum,
        sum(baselines.total_score * baselines.total_score) as baseline_squares
    from {{ ref('int_baselines') }} as baselines
    inner join {{ ref('fct_index_courses') }} as courses on baselines.course_key = courses.course_key
    where courses.protocol = '{{ var("study_protocol") }}'
    group by baselines.instrument

),

used as (

    select
        instrument,
        cast(max(case when quantity = 'reliability' then value end) as double) as reliability,
        cast(max(case when quantity = 'population_sd' then value end) as double) as population_sd,
        cast(max(case when quantity = 'norm_mean' then value end) as double) as norm_mean,
        cast(max(case when quantity = 'norm_sd' then value end) as double) as norm_sd
    from {{ ref('stg_instrument_thresholds') }}
    where is_used
    group by instrument

),

described as (

    select
        instruments.instrument,
        coalesce(sample.people, 0) as people,
        cast(sample.baseline_sum as double) / sample.people as baseline_mean,
        {{ sample_sd('sample.people', 'sample.baseline_sum', 'sample.baseline_squares') }} as baseline_sd,
        used.reliability,
        used.population_sd,
        used.norm_mean,
        used.norm_sd
    from {{ ref('stg_instruments') }} as instruments
    left join sample on instruments.instrument = sample.instrument
    left join used on instruments.instrument = used.instrument
    where instruments.is_outcome

),

computed as (

    select
        *,
        baseline_sd * sqrt(2) * sqrt(1 - reliability) as sample_difference_sd,
        population_sd * sqrt(2) * sqrt(1 - reliability) as published_difference_sd,
        (norm_sd * baseline_mean + baseline_sd * norm_mean) / nullif(norm_sd + baseline_sd, 0) as cut_off_c
    from described

)

select
    *,
    1.96 * sample_difference_sd as sample_reliable_change,
    1.96 * published_difference_sd as published_reliable_change,
    -- In whole points, of which totals consist: the least change above, and the highest total below.
    floor(1.96 * sample_difference_sd) + 1 as sample_reliable_change_points,
    floor(1.96 * published_difference_sd) + 1 as published_reliable_change_points,
    ceil(cut_off_c) - 1 as end_state_maximum
from computed
