-- The account of each clinic's rows in force agrees with the rows that reached the model.
{%- set models = {
    'patient': 'stg_patients', 'organisation': 'stg_organisations', 'site': 'stg_sites', 'referral': 'stg_referrals',
    'condition': 'stg_conditions', 'prior_treatment': 'stg_prior_treatments', 'medication': 'stg_medications',
    'course': 'stg_courses', 'session': 'stg_sessions', 'disposition': 'stg_dispositions',
    'assessment': 'stg_assessments', 'assessment_item': 'stg_assessment_items',
    'adverse_event': 'stg_adverse_events', 'escalation': 'stg_escalations',
} %}
with counted as (

    {%- for table_name, model in models.items() %}
    select
        '{{ table_name }}' as table_name,
        clinic_id,
        count(*) as rows_counted
    from {{ ref(model) }}
    group by clinic_id
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

accounted as (

    select
        table_name,
        clinic_id,
        sum(rows_current) as rows_current
    from {{ ref('stg_row_accounts') }}
    group by table_name, clinic_id

)

select
    coalesce(accounted.table_name, counted.table_name) as table_name,
    coalesce(accounted.clinic_id, counted.clinic_id) as clinic_id
from accounted
full outer join counted on accounted.table_name = counted.table_name and accounted.clinic_id = counted.clinic_id
where coalesce(accounted.rows_current, 0) <> coalesce(counted.rows_counted, 0)
