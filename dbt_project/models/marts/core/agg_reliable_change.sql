select
    instrument,
    people,
    baseline_mean,
    baseline_sd,
    population_sd,
    reliability,
    sample_difference_sd,
    published_difference_sd,
    sample_reliable_change,
    published_reliable_change,
    norm_mean,
    norm_sd,
    cut_off_c
from {{ ref('int_reliable_change') }}
