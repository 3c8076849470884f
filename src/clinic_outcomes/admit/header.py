"""Names of delivered columns: exactly the mapping's, none that tells of a person."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A word that names an identifier counts where the column is that thing (home_phone, address_line_1, zip_code), not
# where it is about it (phone_screen_day).
_THING = (
    r"surname|forename|firstname|lastname|middlename|fullname|maidenname|patientname|dob|birthdate|birthday|brthdtc|"
    r"birthdtc|birth_date|birth_dt|date_of_birth|e_?mail|phone|telephone|fax|ssn|social_security|mrn|"
    r"medical_record|address|street|zip|zip_?code|post_?code|postal_code|latitude|longitude|geocode|"
    r"date_of_(?:death|admission|discharge|service)|death_date|account|iban|credit_card|card|health_plan|insurance|"
    r"policy|medicare|medicaid|mbi|subscriber|beneficiary|member_id|licen[cs]e|certificate|passport|npi|dea|vin|"
    r"vehicle|number_plate|plate|device_id|device_serial|serial|imei|udi|mac_address|ip|url|website|web_page|"
    r"fingerprint|voice_?print|retina|iris_scan|biometric|photo|photograph|picture|face_image|selfie"
)
_ABOUT = r"address|number|num|no|nr|code|line|home|work|mobile|plus_4"
_PERSON = (
    r"first|last|middle|given|family|maiden|full|legal|preferred|nick|patient|person|client|member|subject|mother|"
    r"father|spouse|partner|guardian|parent|relative|contact|emergency|doctor|physician|provider|therapist|clinician"
)
_NAME_LIKE = re.compile(
    rf"(?:.*_)?(?:{_THING})\d*(?:_(?:{_ABOUT}|\d+))*|name|names|(?:.*_)?(?:{_PERSON})_(?:\w+_)?names?(?:_\d+)?"
)
# Three digits of a ZIP code are a coarse area, which some legal bases allow.
_COARSE = re.compile(r"(?:.*_)?zip_?(?:code_?)?3|(?:.*_)?zip3(?:_code)?")


def is_name_like(name: str) -> bool:
    """Whether a column's name says that it holds a name, a birth date, an address or a number of a person."""
    plain = plain_name(name)
    return bool(_NAME_LIKE.fullmatch(plain)) and not _COARSE.fullmatch(plain)


def is_coarse_area(name: str) -> bool:
    """Whether a column's name says that it holds the first three digits of a ZIP code."""
    return _COARSE.fullmatch(plain_name(name)) is not None


def plain_name(name: str) -> str:
    """A column's name as lower-case words joined by ``_``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def is_a_header(header: Sequence[str], allowed: Sequence[str]) -> bool:
    """Whether the first line is a header at all: a file without one would show its first row's values as names."""
    return 2 * len(set(header) & set(allowed)) >= len(allowed)
