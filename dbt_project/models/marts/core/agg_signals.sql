-- Where a term is seen in more people of a clinic, protocol or drug than in the others: to be looked into by a person,
-- for the difference may lie in who is treated there, or in what is written down. Screening only.
--
-- A signal needs all of (the numbers are variables of the project):
-- * 3 people: fewer are cases to read, not a figure to compare.
-- * An EB05 of eb05_minimum or more. EB05 is drawn towards what is usual in the table, so that a small count does not
--   reach it by chance. The usual rule asks for twice the expected; but a category counts in what is expected of it,
--   and one that is half of its network could never have twice. So the rule is twice the risk elsewhere, r = 2: with s
--   the category's share of those treated, r / (1 + s (r - 1)) times the expected. Of a small category that is the
--   usual rule.
-- * An adjusted p-value below 0.05: hundreds of cells are looked at, and of the signals found so many may be false.
-- Where no prior could be fitted and the other two are met, is_signal is empty: not known. Most signals of drugs are
-- what is expected of them.
with cells as (

    select
        cells.*,
        {%- for column in [
            'prr', 'prr_lower', 'prr_upper', 'ror', 'ror_lower', 'ror_upper', 'ebgm', 'eb05',
        ] %}
        case when not isnan(scores.{{ column }}) then scores.{{ column }} end as {{ column }},
        {%- endfor %}
        scores.expected,
        scores.ic,
        scores.ic025,
        scores.p_value,
        scores.adjusted_p_value,
        cast(cells.people_treated as double) / (cells.people_treated + cells.elsewhere_treated) as share_of_treated
    from {{ ref('int_signal_cells') }} as cells
    inner join {{ ref('int_signal_scores') }} as scores
        on cells.axis = scores.axis and cells.category = scores.category and cells.term = scores.term

),

judged as (

    select
        *,
        {{ var('signal_ratio') }} / (1 + share_of_treated * ({{ var('signal_ratio') }} - 1)) as eb05_minimum
    from cells

)

select
    -- keys
    judged.axis || '/' || judged.category || '/' || judged.term as signal_id,
    judged.axis,
    judged.category,
    judged.term,

    -- counts
    judged.people_with_event,
    judged.people_treated,
    judged.elsewhere_with_event,
    judged.elsewhere_treated,
    judged.expected,

    -- ratios
    judged.prr,
    judged.prr_lower,
    judged.prr_upper,
    judged.ror,
    judged.ror_lower,
    judged.ror_upper,
    judged.people_with_event in (0, judged.people_treated)
    or judged.elsewhere_with_event in (0, judged.elsewhere_treated) as is_corrected,
    judged.ic,
    judged.ic025,
    judged.ebgm,
    judged.eb05,
    judged.eb05_minimum,

    -- chance
    judged.p_value,
    judged.adjusted_p_value,

    -- judgements
    judged.people_with_event >= {{ var('signal_fewest_people') }}
    and judged.adjusted_p_value < {{ var('signal_false_discovery_rate') }}
    and judged.eb05 >= judged.eb05_minimum as is_signal,
    case when judged.axis = 'drug' then expected.term is not null end as is_expected_of_drug,
    'screening only' as purpose
from judged
left join {{ ref('expected_events') }} as expected
    on judged.axis = 'drug' and judged.category = expected.drug and judged.term = expected.term
