-- PCL-5 of treated people before and after, how complete it is, and its change; by protocol.
with people as (

    select
        *,
        1 as treated,
        case when baseline_total is not null then 1 else 0 end as has_baseline,
        case when last_total is not null then 1 else 0 end as has_last,
        case when change_in_total is not null then 1 else 0 end as has_both
    from {{ ref('int_pcl5_pairs') }}

)

{{ figure('patients_with_pcl_5_baseline', 'people', numerator='has_baseline') }}
union all
{{ figure('patients_with_pcl_5_last', 'people', numerator='has_last') }}
union all
{{ figure('patients_with_pcl_5_pair', 'people', numerator='has_both') }}
union all
{{ figure('paired_share', 'people', numerator='has_both', denominator='treated') }}
union all
{{ figure('pcl_5_baseline', 'people', numerator='baseline_total', denominator='has_baseline') }}
union all
{{ figure('pcl_5_last', 'people', numerator='last_total', denominator='has_last') }}
union all
{{ figure('pcl_5_change', 'people', numerator='change_in_total', denominator='has_both') }}
