-- Thirds of the baseline of the primary instrument over the network's study population. No severity bands of the PCL-5
-- have been derived empirically, so none are used. Equal scores are in one third: a third is cut at the score that the
-- person a third of the way up has.
with baselines as (

    select
        courses.course_key,
        baselines.total_score
    from {{ ref('fct_index_courses') }} as courses
    inner join {{ ref('int_baselines') }} as baselines on courses.course_key = baselines.course_key
    where courses.protocol = '{{ var("study_protocol") }}' and baselines.instrument = '{{ var("primary_instrument") }}'

),

cuts as (

    select
        min(case when 3 * place >= people then total_score end) as first_cut,
        min(case when 3 * place >= 2 * people then total_score end) as second_cut
    from (
        select
            total_score,
            row_number() over (order by total_score) as place,
            count(*) over () as people
        from baselines
    ) as ordered

)

select
    baselines.course_key,
    case
        when baselines.total_score <= cuts.first_cut then 'lowest'
        when baselines.total_score <= cuts.second_cut then 'middle'
        else 'highest'
    end as baseline_third
from baselines
cross join cuts
