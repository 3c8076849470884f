"""What single paths give; the expected values follow from the FHIRPath specification."""

from decimal import Decimal

import duckdb
import pytest

from clinic_outcomes.sql_on_fhir import ViewError, misfit
from tests.support.sql_on_fhir import value_of

SOME = {
    "one": 1,
    "two": 2,
    "half": 0.5,
    "digit": "1",
    "yes": True,
    "no": False,
    "names": [{"use": "usual", "given": ["Ada", "Eva"]}, {"use": "old", "given": ["Ida"]}, {"use": "old"}],
    "empty_list": [],
    "nothing": None,
    "gaps": ["a", None, "b"],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # Kleene's tables: yes, no, and absent for the empty collection.
        *[(f"{a} and {b}", r) for a, b, r in [("yes", "yes", True), ("yes", "no", False), ("yes", "absent", None)]],
        *[(f"{a} and {b}", r) for a, b, r in [("no", "absent", False), ("absent", "no", False)]],
        *[(f"{a} and {b}", r) for a, b, r in [("absent", "yes", None), ("absent", "absent", None)]],
        *[(f"{a} or {b}", r) for a, b, r in [("yes", "absent", True), ("absent", "yes", True), ("no", "no", False)]],
        *[(f"{a} or {b}", r) for a, b, r in [("no", "absent", None), ("absent", "no", None)]],
        *[(f"{a} xor {b}", r) for a, b, r in [("yes", "no", True), ("yes", "yes", False), ("yes", "absent", None)]],
        *[(f"{a} implies {b}", r) for a, b, r in [("no", "absent", True), ("absent", "yes", True)]],
        *[(f"{a} implies {b}", r) for a, b, r in [("yes", "no", False), ("absent", "no", None)]],
        ("yes.not()", False),
        ("absent.not()", None),
        ("digit and yes", True),  # a single element that is no boolean counts as true
        ("digit.not()", False),
        ("'false' and yes", True),
        # Equality: empty if a side is empty; else element by element.
        ("one = 1", True),
        ("one = 1.0", True),
        ("one = two", False),
        ("one + one = two", True),
        ("one = digit", False),
        ("digit = '1'", True),
        ("one = '1'", False),
        ("digit = 1", False),
        ("absent = 1", None),
        ("one = absent", None),
        ("one != absent", None),
        ("one != 2", True),
        ("empty_list = 1", None),
        ("names.use = 'usual'", False),
        ("names.given = names.given", True),
        ("names.given = names.use", False),
        ("names.use = names.where(given.exists()).use", False),
        ("yes = true", True),
        ("1 = 'a'", False),
        ("one = {}", None),
        # Order
        ("one < 2", True),
        ("one < two", True),
        ("half >= one", False),
        ("digit < '2'", True),
        ("absent < 2", None),
        # Arithmetic, exact
        ("half + 0.1", Decimal("0.6")),
        ("0.1 + 0.2", Decimal("0.3")),
        ("one - two", Decimal("-1")),
        ("-half", Decimal("-0.5")),
        ("1 + 2 * 3", Decimal("7")),
        ("(1 + 2) * 3", Decimal("9")),
        ("7 - 2 - 1", Decimal("4")),
        ("one / two", Decimal("0.5")),
        ("one / 0", None),
        ("one + absent", None),
        ("99999999999999999999.0 * 99999999999999999999.0", None),  # beyond a decimal
        ("digit + 'x'", "1x"),
        ("absent + 'x'", None),
        ("absent & 'x'", "x"),
        # Which elements there are
        ("nothing.exists()", False),
        ("empty_list.exists()", False),
        ("empty_list.empty()", True),
        ("gaps.count()", 2),
        ("gaps.join('-')", "a-b"),
        ("names.given.count()", 3),
        ("names.given.last()", "Ida"),
        ("names.given[2]", "Ida"),
        ("names.given[3]", None),
        ("names.given[-1]", None),
        ("names.given[-2]", None),
        ("names[1].given", "Ida"),
        ("names.where(use = 'old').exists()", True),
        ("names.exists(use = 'maiden')", False),
        ("names.where(given.where($this = 'Eva').exists()).use", "usual"),
        ("names.where(given.count() = 2 and use = 'usual').given.first()", "Ada"),
        ("one.two.three", None),
        ("'text'.length", None),
        ("{}", None),
        ("`one`", "1"),
    ],
)
def test_path(path, expected):
    assert value_of(path, SOME) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("v" + ".v" * 50, None),
        ("1" + " + 1" * 20, 21),
        ("true" + " and true" * 99, True),
        ("(" * 50 + "'x'" + ")" * 50, "x"),
    ],
)
def test_the_longest_paths(path, expected):
    assert value_of(path, {"v": {"v": 1}}) == expected


@pytest.mark.parametrize(
    ("reference", "any_type", "of_patient"),
    [
        ("Patient/p1", "p1", "p1"),
        ("https://fhir.example.org/base/Patient/p1", "p1", "p1"),
        ("Patient/p1/_history/2", "p1", "p1"),
        ("Observation/o1", "o1", None),
        ("#contained", None, None),
        ("urn:uuid:6e0c7a1e-0000-4000-8000-000000000000", None, None),
        ("Patient/", None, None),
    ],
)
def test_reference_key(reference, any_type, of_patient):
    resource = {"subject": {"reference": reference}}
    assert value_of("subject.getReferenceKey()", resource) == any_type
    assert value_of("subject.getReferenceKey(Patient)", resource) == of_patient


RELATIVE_DAY = "https://example.org/relative-day"


@pytest.mark.parametrize(
    "path",
    [
        "effective.ofType(dateTime).extension('URL').value.ofType(integer)",
        "effective.ofType(dateTime).extension(%day).value.ofType(integer)",
        "effectiveDateTime.extension.where(url = 'URL').value.ofType(integer)",
        "extension('outer').extension('URL').value.ofType(integer)",
    ],
)
def test_extensions_of_primitives_and_of_elements(path):
    resource = {
        "resourceType": "Observation",
        "_effectiveDateTime": {
            "extension": [{"url": "other", "valueInteger": 1}, {"url": RELATIVE_DAY, "valueInteger": 14}]
        },
        "extension": [{"url": "outer", "extension": [{"url": RELATIVE_DAY, "valueInteger": 14}]}],
    }
    constants = [{"name": "day", "valueUri": RELATIVE_DAY}]
    assert value_of(path.replace("URL", RELATIVE_DAY), resource, "integer", constants) == 14


def test_elements_of_one_type_of_resource():
    resource = {"contained": [{"resourceType": "Patient", "id": "a"}, {"resourceType": "Group", "id": "b"}]}
    assert value_of("contained.ofType(Group).id", resource) == "b"


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (5, "4.5", "5.5"),
        (-1.25, "-1.255", "-1.245"),
        ("2015", "2015-01-01", "2015-12-31"),
        ("2016-02", "2016-02-01", "2016-02-29"),
        ("2016-02-10", "2016-02-10", "2016-02-10"),
        ("12", "12:00:00.000", "12:59:59.999"),
        ("2015-02-07T13:28", "2015-02-07T13:28:00.000+14:00", "2015-02-07T13:28:59.999-12:00"),
        ("2015-02-07T13:28:17+02:00", "2015-02-07T13:28:17.000+02:00", "2015-02-07T13:28:17.999+02:00"),
    ],
)
def test_boundaries(value, low, high):
    number = not isinstance(value, str)
    for function, expected in (("lowBoundary", low), ("highBoundary", high)):
        given = value_of(f"v.{function}()", {"v": value}, "decimal" if number else None)
        assert given == (Decimal(expected) if number else expected)


@pytest.mark.parametrize(
    ("fhir_type", "value", "expected"),
    [
        ("integer", 12, 12),
        ("integer64", 2**40, 2**40),
        ("decimal", 1.25, Decimal("1.25")),
        ("decimal", 3, Decimal("3")),
        ("boolean", False, False),
        ("string", 'quote " and é', 'quote " and é'),
        ("string", "[not a list]", "[not a list]"),
        ("string", "null", "null"),
        ("string", 12, "12"),
        ("dateTime", "2015-02", "2015-02"),
        ("http://hl7.org/fhirpath/System.Integer", 12, "12"),  # not a FHIR type: text
    ],
)
def test_column_types(fhir_type, value, expected):
    assert value_of("v", {"v": value}, fhir_type) == expected
    assert value_of("v", {"v": [value]}, fhir_type) == expected
    assert value_of("v", {"v": [value, None, value]}, fhir_type, collection=True) == [expected, expected]
    assert value_of("v", {}, fhir_type) is None
    assert value_of("v", {}, fhir_type, collection=True) == []


CANARY = "Zebediah"


@pytest.mark.parametrize(
    ("path", "fhir_type", "value"),
    [
        ("v", "integer", CANARY),
        ("v", "integer", 4.5),
        ("v", "integer", 2**31),
        ("v", "integer", "7"),
        ("v", "boolean", CANARY),
        ("v", "boolean", 1),
        ("v", "decimal", {"family": CANARY}),
        ("v", "decimal", 1e25),
        ("v", "string", [CANARY, CANARY]),
        ("v.first() + 1", "decimal", CANARY),
        ("v.join('') + ''", "integer", "4.5"),
        ("v > 1", "boolean", CANARY),
        ("v > v2", "boolean", CANARY),
        ("v and true", "boolean", [CANARY, CANARY]),
        ("v.lowBoundary()", "decimal", CANARY),
    ],
)
def test_a_value_that_does_not_fit_stops_the_query_and_is_not_told(path, fhir_type, value):
    with pytest.raises(duckdb.InvalidInputException) as failure:
        value_of(path, {"v": value, "v2": 7}, fhir_type)
    message = str(failure.value)
    assert misfit(failure.value).startswith("ViewDefinition select[0].column[0].path: ")
    assert misfit(failure.value) in message
    assert CANARY not in message
    assert str(value) not in message


def test_duckdbs_own_errors_are_no_misfits():
    with pytest.raises(duckdb.ConversionException) as failure:
        duckdb.execute("SELECT CAST('Invalid Input Error: ViewDefinition x: y' AS INTEGER)")
    assert misfit(failure.value) is None


@pytest.mark.parametrize(
    "path",
    [
        *("", " ", "@@", "a.", ".a", "a b", "(a", "a)", "a[", "a[1", "a[b]", "a['1']", "'open", "a = ", "a ==  b"),
        *("nosuch()", "a.first(1)", "a.where()", "a.ofType('b')", "a.extension(b)", "%nosuch", "'\\x'", "a | b"),
        *("true < false", "'a' < 1", "true + 1", "$that", "a.ofType(integer, string)", "1.ofType(integer)"),
        "9223372036854775808",
        "100000000000000000000.0",
        "a" + ".a" * 100,
        "(" * 200 + "1" + ")" * 200,
    ],
)
def test_a_path_that_is_not_supported(path):
    with pytest.raises(ViewError) as refusal:
        value_of(path, {})
    assert refusal.value.place == "select[0].column[0].path"
