"""Realistic synthetic deliveries of every clinic, in its system's own format, with the truth that was planted.

Canonical tables are drawn first (``people``, ``treatment``, ``events``, ``questionnaires``, ``world``), reduced to
what the clinic's system can say (``shaping``), cut into deliveries (``deliveries``), and written by inverting the
system's mapping (``writer``). What a system's clinics do is data: ``systems/<system>/synthetic.yml``.
"""

from clinic_outcomes.synthetic.deliveries import Plant
from clinic_outcomes.synthetic.generating import GeneratedClinic, GenerateRecord, generate

__all__ = ["GenerateRecord", "GeneratedClinic", "Plant", "generate"]
