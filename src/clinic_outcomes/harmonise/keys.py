"""Re-keying: HMAC-SHA256 of every key with the network's salt, so that no clinic's own key leaves this stage.

The message of a key is ``<clinic id or "network">|<column>|<delivered key>``, the column being that which the key
refers to in the end: a patient has one key in all tables of a clinic. Keys that are the same for the whole network
(``key_scope`` network) stay the same for two clinics. The new key is the first 32 hex digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from clinic_outcomes.contract import Column
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.harmonise.keyed_hash import keyed_hash, set_secret
from clinic_outcomes.salt import Salt

KEY_DIGITS = 32
KEY_TABLE = "harmonised_key"
"""Temporary table of a session: delivered key → new key, for each column that keys refer to."""
_SALT_NAME = "salt"


def domain(column: Column) -> str:
    """The column that a key belongs to: its own, or that which it refers to."""
    return column.references[1] if column.references else column.name


def message_head(clinic_id: str, column: Column) -> str:
    """What stands before the delivered key in the message of its HMAC."""
    return f"{'network' if column.key_scope == 'network' else clinic_id}|{domain(column)}|"


def set_salt(connection: duckdb.DuckDBPyConnection, salt: Salt) -> None:
    """Give a session the network's salt."""
    set_secret(connection, _SALT_NAME, salt.secret)


def write_key_table(
    connection: duckdb.DuckDBPyConnection, rows: str, keys: Mapping[str, Column], clinic_id: str
) -> None:
    """Make ``KEY_TABLE`` from all keys in some rows: each is hashed once, however many rows have it.

    ``keys`` maps the name of a text column of ``rows`` to the contract's column.
    """
    lists = ", ".join(f"list(DISTINCT {quote_name(name)}) AS {quote_name(name)}" for name in keys)
    parts = " UNION ".join(
        f"SELECT {quote_text(domain(column))} AS domain, {quote_text(message_head(clinic_id, column))} AS head, "
        f"unnest({quote_name(name)}) AS delivered_key FROM found"
        for name, column in keys.items()
    )
    key = f"left({keyed_hash(_SALT_NAME, 'head || delivered_key')}, {KEY_DIGITS})"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {KEY_TABLE} AS WITH found AS MATERIALIZED (SELECT {lists} FROM {rows}) "
        f"SELECT domain, delivered_key, {key} AS key "
        f"FROM ({parts}) WHERE delivered_key IS NOT NULL"
    )


def rekeyed(rows: str, columns: Iterable[str], keys: Mapping[str, Column]) -> str:
    """SQL of ``rows`` with every key column replaced by its new key. ``KEY_TABLE`` must have been made from them."""
    selected = ", ".join(
        f"{quote_name(f'new {name}')}.key AS {quote_name(name)}" if name in keys else f"rekeyed.{quote_name(name)}"
        for name in columns
    )
    joins = " ".join(
        f"LEFT JOIN (FROM {KEY_TABLE} WHERE domain = {quote_text(domain(column))}) AS {quote_name(f'new {name}')} "
        f"ON rekeyed.{quote_name(name)} = {quote_name(f'new {name}')}.delivered_key"
        for name, column in keys.items()
    )
    return f"SELECT {selected} FROM ({rows}) AS rekeyed {joins}"
