"""Prepare: on the clinic's own premises, an identified export becomes a delivery that passes the gate.

No stage of the network: it runs offline, reads the system's mapping and the clinic's secrets, keeps nothing but
the clinic's register of day zeros, and says column by column what it changed. ``instructions`` reads what the mapping
alone does not say, ``dates`` looks whether dates can be read, ``day_zero`` and ``register`` find when each person
began, ``columns`` makes each delivered column, ``preparing`` does the work.
"""

from clinic_outcomes.prepare.preparing import Change, Order, Prepared, prepare

__all__ = ["Change", "Order", "Prepared", "prepare"]
