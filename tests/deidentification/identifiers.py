"""Invented identifiers of the eighteen classes of 45 CFR 164.514(b)(2)(i), at least 200 different ones of each.

All are made up from short lists and a seeded generator. Each class mixes the ways in which exports write it.
"""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Callable, Iterator

COUNT = 204
FIRST = ("Ottilie", "Jörg", "Mei-Ling", "Aoife", "Sven", "Priya", "Kwame", "Łucja", "Tomás", "Ngozi", "Bjørn", "Zsófia")
LAST = ("Quack", "Müller", "O'Neill", "García", "Nguyen", "van der Berg", "Smith-Jones", "Åkesson", "Okafor", "D'Souza")
TITLES = ("Mr. ", "Mrs ", "Dr. ", "Ms. ", "", "", "")
CITIES = ("Austin", "Boise", "Erie", "Provo", "Salem", "Fargo", "Juneau", "Macon", "Tulsa", "Waco")
STATES = ("TX", "ID", "PA", "UT", "OR", "ND", "AK", "GA", "OK", "NM")
STREETS = ("Maple St", "Old Mill Road", "5th Ave", "Harbor Blvd", "Cedar Lane", "Elm Court", "Pine Dr")
MONTHS = ("January", "Feb", "March", "Apr", "May", "June", "Jul", "August", "Sept", "Oct", "November", "Dec")
Draw = random.Random


def _digits(draw: Draw, count: int) -> str:
    return "".join(draw.choice("0123456789") for _ in range(count))


def _letters(draw: Draw, count: int) -> str:
    return "".join(draw.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(count))


def _of(draw: Draw, *makers: Callable[[], str]) -> Iterator[str]:
    """Values of each way of writing in turn."""
    while True:
        for make in makers:
            yield make()


def names(draw: Draw) -> Iterator[str]:
    def first() -> str:
        return draw.choice(FIRST)

    def last() -> str:
        return draw.choice(LAST)

    return _of(
        draw,
        lambda: f"{draw.choice(TITLES)}{first()} {last()}",
        lambda: f"{last()}, {first()} {_letters(draw, 1)}.",
        lambda: f"{first()} {_letters(draw, 1)}. {last()}",
        lambda: f"{first()}{last()}".replace(" ", ""),
        lambda: f"{last().upper()} {first()}",
    )


def places(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"{draw.randint(1, 9999)} {draw.choice(STREETS)}",
        lambda: f"{draw.choice(CITIES)}, {draw.choice(STATES)} {draw.randint(10000, 99999)}",
        lambda: f"{draw.randint(40000, 99999)}",
        lambda: f"{draw.randint(10000, 99999)}-{draw.randint(1000, 9999)}",
        lambda: f"{draw.choice(CITIES)} County {draw.choice(STATES)}",
        lambda: f"{draw.uniform(25, 48):.5f}, -{draw.uniform(70, 120):.5f}",
        lambda: f"0{_digits(draw, 4)}",
        lambda: f"PO Box {draw.randint(100, 9999)}",
    )


def dates(draw: Draw) -> Iterator[str]:
    def parts() -> tuple[int, int, int]:
        return draw.randint(1931, 2026), draw.randint(1, 12), draw.randint(1, 28)

    def of(form: str) -> Callable[[], str]:
        def make() -> str:
            y, m, d = parts()
            return form.format(y=y, m=m, d=d, yy=y % 100, name=MONTHS[m - 1], q=(m - 1) // 3 + 1, w=draw.randint(1, 52))

        return make

    return _of(
        draw,
        of("{y}-{m:02}-{d:02}"),
        of("{m}/{d}/{y}"),
        of("{d:02}.{m:02}.{y}"),
        of("{m}/{d}/{yy:02}"),
        of("{y}{m:02}{d:02}"),
        of("{d} {name} {y}"),
        of("{name} {d}, {y}"),
        of("{y}-{m:02}"),
        of("{m:02}/{y}"),
        of("{name} {y}"),
        of("Q{q} {y}"),
        of("{y}-Q{q}"),
        of("{y}-W{w:02}"),
        of("{y}-{m:02}-{d:02}T08:30:00Z"),
        lambda: str(draw.randint(18_264, 46_000)),  # serial numbers of spreadsheets, 1950 to 2025
        lambda: f"{draw.randint(18_264, 46_000)}.{draw.randint(1, 9)}",
        lambda: str(draw.randint(1_000_000_000, 1_790_000_000)),  # seconds since 1970
        lambda: str(draw.randint(1_000_000_000_000, 1_790_000_000_000)),
        of("{y}\u2013{m:02}\u2013{d:02}"),
        of("aged {w}, born {y}"),
    )


def _phone(draw: Draw) -> tuple[str, str, str]:
    return str(draw.randint(201, 989)), f"{draw.randint(2, 9)}{_digits(draw, 2)}", _digits(draw, 4)


def telephones(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: "({}) {}-{}".format(*_phone(draw)),
        lambda: "{}-{}-{}".format(*_phone(draw)),
        lambda: "+1 {} {} {}".format(*_phone(draw)),
        lambda: "{}{}{}".format(*_phone(draw)),
        lambda: "{}.{}.{}".format(*_phone(draw)),
        lambda: f"+44 20 {_digits(draw, 4)} {_digits(draw, 4)}",
        lambda: f"{draw.randint(200, 999)}-{_digits(draw, 4)}",
    )


def faxes(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: "fax {}-{}-{}".format(*_phone(draw)),
        lambda: "F: ({}) {} {}".format(*_phone(draw)),
        lambda: "{}/{}/{}".format(*_phone(draw)),
        lambda: "1{}{}{}".format(*_phone(draw)),
    )


def emails(draw: Draw) -> Iterator[str]:
    def word() -> str:
        return _letters(draw, 5).lower()

    return _of(
        draw,
        lambda: f"{word()}.{word()}@example.org",
        lambda: f"{word()}+{draw.randint(1, 99)}@mail.example.com",
        lambda: f"<{word().upper()}@EXAMPLE.NET>",
        lambda: f"{word()} (at) example.org",
        lambda: f"{word()}\uff20example.org",
    )


def social_security_numbers(draw: Draw) -> Iterator[str]:
    # Numbers that begin with 9 are never given to a person.
    return _of(
        draw,
        lambda: f"9{_digits(draw, 2)}-{_digits(draw, 2)}-{_digits(draw, 4)}",
        lambda: f"9{_digits(draw, 2)} {_digits(draw, 2)} {_digits(draw, 4)}",
        lambda: f"9{_digits(draw, 8)}",
        lambda: f"SSN 9{_digits(draw, 8)}",
        lambda: f"xxx-xx-{_digits(draw, 4)}",
    )


def medical_record_numbers(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"MRN {_digits(draw, 7)}",
        lambda: f"MRN-{_digits(draw, 6)}",
        lambda: str(draw.randint(100_000, 9_999_999)),
        lambda: f"{_letters(draw, 2)}{_digits(draw, 6)}",
        lambda: f"00{_digits(draw, 6)}",
        lambda: f"E{_digits(draw, 7)}",
    )


def health_plan_numbers(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"1EG{draw.randint(0, 9)}-TE{draw.randint(0, 9)}-MK{_digits(draw, 2)}",
        lambda: f"Member ID {_letters(draw, 3)}{_digits(draw, 9)}",
        lambda: f"{_letters(draw, 3)}{_digits(draw, 9)}",
        lambda: f"W{_digits(draw, 8)} 01",
        lambda: f"{_digits(draw, 9)}A",
    )


def account_numbers(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"acct {_digits(draw, 8)}",
        lambda: f"{draw.randint(4000, 4999)} {_digits(draw, 4)} {_digits(draw, 4)} {_digits(draw, 4)}",
        lambda: f"DE{_digits(draw, 2)} {_digits(draw, 4)} {_digits(draw, 4)} {_digits(draw, 4)} {_digits(draw, 4)}",
        lambda: str(draw.randint(10**11, 10**12)),
        lambda: f"INV-{draw.randint(10_000, 99_999)}",
    )


def licence_numbers(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"{_letters(draw, 1)}{_digits(draw, 7)}",
        lambda: f"DEA B{_letters(draw, 1)}{_digits(draw, 7)}",
        lambda: f"NPI {draw.randint(1_000_000_000, 1_999_999_999)}",
        lambda: f"Lic. {_letters(draw, 2)}-{_digits(draw, 5)}",
        lambda: f"RN{_digits(draw, 6)}",
        lambda: f"cert {_digits(draw, 5)}/{_letters(draw, 2)}",
    )


def vehicle_identifiers(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"1{_letters(draw, 4)}{_digits(draw, 5)}{_letters(draw, 1)}{_digits(draw, 6)}",
        lambda: f"{_letters(draw, 3)} {_digits(draw, 4)}",
        lambda: f"{_letters(draw, 3)}-{_digits(draw, 3)}",
        lambda: f"{draw.randint(1, 9)}{_letters(draw, 3)}{_digits(draw, 3)}",
        lambda: f"{_letters(draw, 1)}-{_letters(draw, 2)} {_digits(draw, 3)}",
    )


def device_identifiers(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"(01)00{_digits(draw, 12)}",
        lambda: f"SN-{_digits(draw, 8)}",
        lambda: ":".join(f"{draw.randint(0, 255):02x}" for _ in range(6)),
        lambda: f"{draw.randint(10**14, 10**15 - 1)}",
        lambda: f"{_letters(draw, 2)}{_digits(draw, 4)}{_letters(draw, 2)}{_digits(draw, 2)}",
        lambda: "-".join(f"{draw.getrandbits(bits):0{bits // 4}x}" for bits in (32, 16, 16, 16, 48)),
    )


def urls(draw: Draw) -> Iterator[str]:
    def word() -> str:
        return _letters(draw, 6).lower()

    return _of(
        draw,
        lambda: f"https://example.org/{word()}",
        lambda: f"www.{word()}.example.com",
        lambda: f"example.org/people/{word()}",
        lambda: f"ftp://files.example.net/{word()}",
        lambda: f"mailto:{word()}",
    )


def ip_addresses(draw: Draw) -> Iterator[str]:
    def octet() -> int:
        return draw.randint(0, 255)

    return _of(
        draw,
        lambda: f"198.51.{octet()}.{octet()}",
        lambda: f"10.{octet()}.{octet()}.{octet()}:8080",
        lambda: f"2001:db8:{octet():x}:{octet():x}::{octet():x}",
        lambda: f"fe80::{octet():x}{octet():x}",
    )


def biometric_identifiers(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"fingerprint {_digits(draw, 6)}",
        lambda: f"voiceprint_{_digits(draw, 5)}.wav",
        lambda: base64.b64encode(draw.randbytes(18)).decode(),
        lambda: draw.randbytes(20).hex(),
        lambda: f"iris template {_digits(draw, 4)}",
    )


def photographs(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"IMG_{_digits(draw, 4)}.JPG",
        lambda: f"/9j/4AAQSkZJRg{base64.b64encode(draw.randbytes(9)).decode()}",
        lambda: f"data:image/png;base64,iVBORw0KGgo{_letters(draw, 6)}",
        lambda: f"faces/{_letters(draw, 6).lower()}.png",
        lambda: f"photo {_digits(draw, 5)}",
    )


def other_unique_codes(draw: Draw) -> Iterator[str]:
    return _of(
        draw,
        lambda: f"{_letters(draw, 2)}-{_digits(draw, 6)}",
        lambda: f"#{_digits(draw, 5)}",
        lambda: f"study {_letters(draw, 1)}{_digits(draw, 4)}",
        lambda: f"@{_letters(draw, 7).lower()}",
        lambda: f"{_digits(draw, 3)}-{_letters(draw, 3)}-{_digits(draw, 3)}",
        lambda: f"veteran no {_digits(draw, 8)}",
    )


CLASSES: dict[str, Callable[[Draw], Iterator[str]]] = {
    "names": names,
    "geographic subdivisions": places,
    "dates": dates,
    "telephone numbers": telephones,
    "fax numbers": faxes,
    "e-mail addresses": emails,
    "social security numbers": social_security_numbers,
    "medical record numbers": medical_record_numbers,
    "health plan numbers": health_plan_numbers,
    "account numbers": account_numbers,
    "certificate and licence numbers": licence_numbers,
    "vehicle identifiers and plates": vehicle_identifiers,
    "device identifiers and serial numbers": device_identifiers,
    "web addresses": urls,
    "internet addresses": ip_addresses,
    "biometric identifiers": biometric_identifiers,
    "full-face photographs": photographs,
    "other unique numbers and codes": other_unique_codes,
}


def planted(name: str, count: int = COUNT) -> list[str]:
    """Different values of a class, always the same ones."""
    values = CLASSES[name](Draw(f"planted {name}"))
    found: dict[str, None] = {}
    while len(found) < count:
        found[next(values)] = None
    return list(found)


def sample(name: str, usual: int) -> list[str]:
    """The first values of a class, for places that cost a file each. ``PLANTED_EACH=204`` takes all of them."""
    return planted(name)[: max(usual, int(os.environ.get("PLANTED_EACH", "0")))]
