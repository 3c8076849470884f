-- How each clinic's responders compare with the network's, as they are (funnel) and with what its people came with
-- taken into account (observed over expected). The interval of observed over expected is Wilson's of the share, over
-- the expected share: the error of the network's model is small beside the clinic's own and is not in it.
with clinics as (

    select
        *,
        sum(variance) over () as network_variance
    from {{ ref('int_clinic_responders') }}

),

compared as (

    select
        clinics.*,
        funnel.z,
        {%- for column in [
            'phi', 'spread', 'corrected_lower_95', 'corrected_upper_95', 'corrected_lower_998', 'corrected_upper_998',
        ] %}
        case when not isnan(funnel.{{ column }}) then funnel.{{ column }} end as {{ column }},
        {%- endfor %}
        funnel.lower_95,
        funnel.upper_95,
        funnel.lower_998,
        funnel.upper_998,
        cast(clinics.responders as double) / clinics.people as response_share,
        nullif(cast(clinics.expected as double), 0) as expected_responders,
        -- The clinic is part of the network that the model was fitted to: of its variance that share is not free.
        cast(clinics.variance as double)
        * (1 - cast(clinics.variance as double) / nullif(cast(clinics.network_variance as double), 0)) as free_variance
    from clinics
    inner join {{ ref('int_funnel') }} as funnel on clinics.clinic_id = funnel.clinic_id

)

select
    clinic_id,

    -- as they are
    people,
    responders,
    response_share,
    z,
    lower_95,
    upper_95,
    lower_998,
    upper_998,
    response_share < lower_95 or response_share > upper_95 as is_outside_95,
    response_share < lower_998 or response_share > upper_998 as is_outside_998,

    -- with overdispersion
    phi,
    spread,
    corrected_lower_95,
    corrected_upper_95,
    corrected_lower_998,
    corrected_upper_998,
    response_share < corrected_lower_95 or response_share > corrected_upper_95 as is_outside_corrected_95,
    response_share < corrected_lower_998 or response_share > corrected_upper_998 as is_outside_corrected_998,

    -- adjusted for risk
    expected_responders,
    responders / expected_responders as observed_expected,
    {{ wilson_lower('responders', 'people') }} * people / expected_responders as observed_expected_lower,
    {{ wilson_upper('responders', 'people') }} * people / expected_responders as observed_expected_upper,
    (responders - expected_responders) / sqrt(nullif(free_variance, 0)) as adjusted_z
from compared
