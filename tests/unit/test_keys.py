"""Re-keyed keys: whose are the same for one clinic, for the whole network, and for nobody."""

import duckdb
import pytest

from clinic_outcomes.contract import load_contract
from clinic_outcomes.harmonise.keys import KEY_TABLE, rekeyed, set_salt, write_key_table
from clinic_outcomes.salt import Salt

ROWS = "(VALUES ('a1', 't1'), ('a2', 't1'), ('a1', NULL), (NULL, 't2')) AS t(patient_id, network_token)"
KEYS = {name: load_contract().tables["patient"].column(name) for name in ("patient_id", "network_token")}


def keys(clinic_id: str, secret: bytes = b"x" * 32) -> list[tuple[str | None, str | None]]:
    with duckdb.connect() as connection:
        set_salt(connection, Salt(secret))
        write_key_table(connection, ROWS, KEYS, clinic_id)
        rows = rekeyed(f"SELECT *, row_number() OVER () AS place FROM {ROWS}", [*KEYS, "place"], KEYS)
        return connection.execute(f"SELECT patient_id, network_token FROM ({rows}) ORDER BY place").fetchall()


def test_a_persons_token_is_the_same_in_two_clinics_and_the_clinics_key_is_not() -> None:
    here, there = keys("here"), keys("there")
    assert [token for _, token in here] == [token for _, token in there]
    assert not {key for key, _ in here if key} & {key for key, _ in there if key}


def test_equal_keys_stay_equal_and_none_stays_none() -> None:
    found = keys("here")
    assert found[0][0] == found[2][0] != found[1][0] and found[0][1] == found[1][1]
    assert (found[2][1], found[3][0]) == (None, None)
    assert all(len(key) == 32 for row in found for key in row if key)


def test_a_key_is_not_the_same_in_two_columns() -> None:
    columns = {"patient_id": KEYS["patient_id"], "session_id": load_contract().tables["session"].column("session_id")}
    with duckdb.connect() as connection:
        set_salt(connection, Salt(b"x" * 32))
        write_key_table(connection, "(SELECT 'k' AS patient_id, 'k' AS session_id)", columns, "here")
        assert connection.execute(f"SELECT count(DISTINCT key) FROM {KEY_TABLE}").fetchone() == (2,)


def test_another_salt_gives_other_keys() -> None:
    assert keys("here")[0] != keys("here", b"y" * 32)[0]


@pytest.mark.parametrize("statement", ["SELECT * FROM no_such_table", "SELECT CAST('a1' AS INTEGER)"])
def test_the_salt_is_in_no_error(statement: str) -> None:
    with duckdb.connect() as connection:
        set_salt(connection, Salt(b"secretsecretsecretsecretsecret32"))
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(statement)
    assert "secretsecret" not in str(caught.value)


def test_the_salt_does_not_show_itself() -> None:
    assert "78" * 32 not in repr(Salt(b"x" * 32)) and "xxxx" not in repr(Salt(b"x" * 32))
