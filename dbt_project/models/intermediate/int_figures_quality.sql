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

{{ figures('files', [
    ['rows_delivered', 'rows_delivered', none],
    ['rows_current', 'rows_current', none],
    ['rows_quarantined', 'rows_quarantined', none],
    ['rows_quarantined_share', 'rows_quarantined', 'rows_delivered'],
]) }}
