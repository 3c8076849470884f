"""HMAC-SHA256 (RFC 2104) in DuckDB. The secret is a variable of the session, apart from the text of any query."""

from __future__ import annotations

import duckdb

_BLOCK_BYTES = 64


def set_secret(connection: duckdb.DuckDBPyConnection, name: str, secret: bytes) -> None:
    """Give a session a secret of at most 64 bytes under a name, an SQL identifier."""
    block = secret.ljust(_BLOCK_BYTES, b"\0")
    for part, pad in (("inner", 0x36), ("outer", 0x5C)):
        connection.execute(f"SET VARIABLE {name}_{part} = ?::BLOB", [bytes(byte ^ pad for byte in block)])


def keyed_hash(name: str, message: str) -> str:
    """SQL of the HMAC of a text, 64 hex digits, under the secret of that name; NULL for NULL."""
    inner = f"sha256(getvariable('{name}_inner') || encode({message}))"
    return f"sha256(getvariable('{name}_outer') || unhex({inner}))"
