-- The score nearest to each time point of a session, the earlier of two as near, of each form. A form without a total
-- has no score, but somebody has asked.
with forms as (

    select * from {{ ref('fct_assessments') }}
    where instrument in ('cadss', 'cadss_6') and session_key is not null

),

ranked as (

    select
        forms.session_key,
        forms.instrument,
        forms.total_score,
        time_points.time_point,
        row_number() over (
            partition by forms.session_key, forms.instrument, time_points.time_point
            order by
                abs(forms.minutes_from_session_start - time_points.target_minute),
                forms.minutes_from_session_start,
                forms.assessment_key
        ) as nearness
    from forms
    inner join {{ ref('session_time_points') }} as time_points
        on forms.minutes_from_session_start between time_points.from_minute and time_points.to_minute
    where forms.total_score is not null

),

asked as (

    select
        session_key,
        count(*) as forms
    from forms
    where total_score is not null or items_answered > 0
    group by session_key

),

scores as (

    select
        {%- for instrument in ['cadss', 'cadss_6'] %}
        {%- for time_point in ['before', '40_minutes', '120_minutes'] %}
        max(case when instrument = '{{ instrument }}' and time_point = '{{ time_point }}' then total_score end)
            as {{ instrument }}_{{ time_point }},
        {%- endfor %}
        {%- endfor %}
        session_key
    from ranked
    where nearness = 1
    group by session_key

)

select
    asked.session_key,
    scores.cadss_before,
    scores.cadss_40_minutes,
    scores.cadss_120_minutes,
    scores.cadss_6_before,
    scores.cadss_6_40_minutes,
    scores.cadss_6_120_minutes,
    asked.forms
from asked
left join scores on asked.session_key = scores.session_key
