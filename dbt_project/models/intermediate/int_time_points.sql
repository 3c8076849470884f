-- Time points of questionnaires and weeks of life tables, with their windows in words.
select
    time_point,
    sort_order,
    label,
    label_in_text,
    needs_same_day_recall,
    false as is_of_life_table,
    cast(null as integer) as interval_number,
    case
        when from_day is null then ''
        else
            'the '
            || case when taken = 'nearest' then 'score nearest to day ' || target_day else taken || ' score' end
            || case
                when to_day > 3650 then ' from day ' || from_day || ' on after '
                else ' of days ' || from_day || ' to ' || to_day || ' after '
            end
            || case anchor
                when 'session' then 'session ' || anchor_session
                when 'last_session' then 'the last session'
                else 'the first session'
            end
    end as time_window
from {{ ref('time_points') }}
union all
select
    time_point,
    sort_order,
    label,
    label_in_text,
    false as needs_same_day_recall,
    true as is_of_life_table,
    week_number as interval_number,
    'days ' || from_day || ' to ' || to_day || ' after the response' as time_window
from {{ ref('life_table_weeks') }}
