-- Patients are told apart by clinic, so every figure of the network that is told of clinics, too, is the
-- sum of theirs; a model value is no sum. A life table of a clinic ends when nobody is at risk, while its losses stay
-- among those of the network: assert_life_tables_are_sums_of_clinics.sql adds them up.
with clinics as (

    select
        measure,
        dimension,
        category,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        sum(patients) as patients,
        sum(clinics) as clinics,
        sum(numerator_patients) as numerator_patients,
        sum(numerator_clinics) as numerator_clinics
    from {{ ref('agg_figures') }}
    where clinic_id <> 'network'
    group by measure, dimension, category

)

select network.figure_id
from {{ ref('agg_figures') }} as network
left join clinics
    on
        network.measure = clinics.measure
        and network.dimension = clinics.dimension
        and network.category = clinics.category
where
    network.clinic_id = 'network'
    and network.figure_type <> 'model_value'
    and network.dimension not in (
        select dimensions.dimension from {{ ref('dimensions') }} as dimensions
        where dimensions.scope = 'network'
    )
    and (
        network.denominator is distinct from clinics.denominator
        or network.patients is distinct from clinics.patients
        or network.clinics is distinct from clinics.clinics
        or network.figure_type <> 'life_table_row'
        and (
            network.numerator is distinct from clinics.numerator
            or network.numerator_patients is distinct from clinics.numerator_patients
            or network.numerator_clinics is distinct from clinics.numerator_clinics
        )
    )
