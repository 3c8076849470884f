import numpy as np

from clinic_outcomes.statistics.funnel import ALARM, WARNING, funnel_limits, z_scores
from clinic_outcomes.statistics.overdispersion import (
    FEWEST_CLINICS,
    additive_spread,
    dispersion,
    variance_between_clinics,
)


def model(dbt, session):
    """Where each clinic lies in the funnel of the network, and its limits with and without overdispersion.

    Rounded to nine decimals, so that the last digits of one machine's arithmetic do not reach the marts.
    """
    dbt.config(materialized="table")
    clinics = dbt.ref("int_clinic_responders").order("clinic_id").fetchnumpy()
    people = np.asarray(clinics["people"], dtype=np.int64)
    responders = np.asarray(clinics["responders"], dtype=np.int64)
    network = int(people.sum())
    if network == 0:
        return session.sql(
            "select ''::varchar as clinic_id, 0.0::double as z, 0.0::double as phi, 0.0::double as spread, "
            "0.0::double as lower_95, 0.0::double as upper_95, 0.0::double as lower_998, 0.0::double as upper_998, "
            "0.0::double as corrected_lower_95, 0.0::double as corrected_upper_95, "
            "0.0::double as corrected_lower_998, 0.0::double as corrected_upper_998 limit 0"
        )
    share = int(responders.sum()) / network
    z = np.array([z_scores([x], int(n), share, network)[0] for x, n in zip(responders, people)])

    # Too few clinics, or a share that cannot vary, say nothing of how much clinics differ.
    phi, spreads = np.nan, np.full(len(people), np.nan)
    if len(people) >= FEWEST_CLINICS and 0 < share < 1:
        phi = dispersion(z)
        between = variance_between_clinics(phi, people, share)
        spreads = np.array([additive_spread(between, int(n), share, network) for n in people])

    columns = {"clinic_id": np.asarray(clinics["clinic_id"], dtype=object), "z": z}
    columns |= {"phi": np.full(len(people), phi), "spread": spreads}
    for name, probability in (("95", WARNING), ("998", ALARM)):
        plain = np.array([funnel_limits(int(n), share, probability, network) for n in people])
        corrected = np.array(
            [
                funnel_limits(int(n), share, probability, network, spread) if spread > 0 else (np.nan, np.nan)
                for n, spread in zip(people, spreads)
            ]
        )
        columns |= {f"lower_{name}": plain[:, 0], f"upper_{name}": plain[:, 1]}
        columns |= {f"corrected_lower_{name}": corrected[:, 0], f"corrected_upper_{name}": corrected[:, 1]}
    return {name: values if name == "clinic_id" else np.round(values, 9) for name, values in columns.items()}
