"""Who gets what of a release: the public, the network, a clinic, and a clinic's own clinicians."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from clinic_outcomes.publish.released import NETWORK, ReportedClinic


class Audience(StrEnum):
    """A class of recipients.

    ``public`` and ``network`` are told of all clinics together, ``clinic`` of itself too, as far as protect released
    it. ``internal`` is told its own clinic's exact figures, and of others what the network's released figures tell.
    """

    PUBLIC = "public"
    NETWORK = "network"
    CLINIC = "clinic"
    INTERNAL = "internal"


RESERVED = frozenset({Audience.PUBLIC.value, Audience.NETWORK.value, Audience.INTERNAL.value, "latest"})
"""Names of folders of a release that no clinic can have."""


@dataclass(frozen=True)
class Recipient:
    """One recipient; ``clinic_id`` is empty for the public and the network."""

    audience: Audience
    clinic_id: str = ""

    @property
    def folder(self) -> str:
        """Where its files lie below the release."""
        if self.audience is Audience.INTERNAL:
            return f"{Audience.INTERNAL.value}/{self.clinic_id}"
        return self.clinic_id or self.audience.value

    @property
    def scope(self) -> str:
        """Whose figures are its own: a clinic's, or those of all clinics together."""
        return self.clinic_id or NETWORK


PUBLIC = Recipient(Audience.PUBLIC)
WHOLE_NETWORK = Recipient(Audience.NETWORK)


def recipients_of(clinics: Iterable[ReportedClinic]) -> tuple[Recipient, ...]:
    """Every recipient of a release of these clinics, in a fixed order."""
    names = sorted(clinic.clinic_id for clinic in clinics)
    return (
        PUBLIC,
        WHOLE_NETWORK,
        *(Recipient(Audience.CLINIC, name) for name in names),
        *(Recipient(Audience.INTERNAL, name) for name in names),
    )
