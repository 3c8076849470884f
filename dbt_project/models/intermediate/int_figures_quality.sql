-- Rows delivered, in force and quarantined, by canonical table. Rows are no people: none stand behind these figures.
with accounts as (

    select
        *,
        cast(null as varchar) as patient_key
    from {{ ref('stg_row_accounts') }}

),

files as (

    {{ along('accounts', ['table_name']) }}

)

{{ figure('rows_delivered', 'files', numerator='rows_delivered') }}
union all
{{ figure('rows_current', 'files', numerator='rows_current') }}
union all
{{ figure('rows_quarantined', 'files', numerator='rows_quarantined') }}
union all
{{ figure('rows_quarantined_share', 'files', numerator='rows_quarantined', denominator='rows_delivered') }}
