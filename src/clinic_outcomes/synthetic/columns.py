"""Canonical columns as integers, so that everything until the writing of files is numpy arithmetic.

Every value of a canonical column is one integer: a day or a count is itself; a decimal counts units of its last
place; a code is its position in the column's code list; several codes are bits; a key is its number; a pattern text
such as a year or an RxNorm code is its digits. ``MISSING`` stands for no value, 0 for no key.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clinic_outcomes.contract import Column, load_contract
from clinic_outcomes.mapping import System
from clinic_outcomes.problems import ClinicOutcomesError

MISSING = -(2**31)
NO_KEY = 0

Integers = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = dict[str, npt.NDArray[Any]]
"""Columns of one table, all of one length. Names that begin with ``_`` are the generator's own and never written."""

_KEY_PATTERN = re.compile(r"([A-Za-z0-9_-]*)\[0-9(a-f)?\]\{(\d+)\}")


@dataclass(frozen=True)
class KeySpace:
    """The keys that a pattern such as ``P[0-9a-f]{16}`` or ``SITE-[0-9]{2}`` allows."""

    prefix: str
    base: int
    digits: int

    @property
    def size(self) -> int:
        """How many different keys there are, at most 2^64 - 1."""
        return min(int(self.base**self.digits), 2**64 - 1)

    def draw(self, rng: np.random.Generator, count: int) -> Keys:
        """``count`` different keys. ``ClinicOutcomesError`` where the pattern allows too few."""
        if count * 4 > self.size:
            raise ClinicOutcomesError(f"{count} keys are wanted of a pattern that allows {self.size}")
        keys = rng.integers(1, self.size, count, dtype=np.uint64)
        while True:
            _, first = np.unique(keys, return_index=True)
            if len(first) == count:
                return keys
            again = np.ones(count, dtype=np.bool_)
            again[first] = False
            keys[again] = rng.integers(1, self.size, int(again.sum()), dtype=np.uint64)

    def sql(self, name: str) -> str:
        """SQL of the key's text, given the quoted name of its column of numbers."""
        if self.base == 10:
            return f"'{self.prefix}' || lpad({name}::VARCHAR, {self.digits}, '0')"
        text = f"printf('%0{min(self.digits, 16)}x', {name})"
        if self.digits > 16:
            text += f" || left(md5(printf('%016x', {name})), {self.digits - 16})"
        return f"'{self.prefix}' || {text}"


def key_space(system: System, column: Column) -> KeySpace:
    """Keys of a column in a system. ``ClinicOutcomesError`` where its pattern is of a form that cannot be inverted."""
    pattern = system.key_pattern(column)
    if pattern is None:  # a key the system does not deliver: any will do
        return KeySpace(prefix="", base=16, digits=16)
    found = _KEY_PATTERN.fullmatch(pattern)
    if not found or int(found[3]) > 48 or (found[2] is None and int(found[3]) > 19):
        raise ClinicOutcomesError(
            f"system {system.name}: key pattern of {column.name} must be a prefix and [0-9a-f]{{N}} or [0-9]{{N}}, "
            "for only these can be generated"
        )
    return KeySpace(prefix=found[1], base=16 if found[2] else 10, digits=int(found[3]))


@functools.cache
def code_positions(table: str, column: str) -> Mapping[str, int]:
    """Code → position in the code list of a canonical column; the last is ``unmapped``."""
    contract = load_contract()
    return {code: place for place, code in enumerate(contract.codes(contract.tables[table].column(column)))}


def local_codes(codes: Mapping[str, str]) -> tuple[str, ...]:
    """A clinic's own codes in order, given a code set of its mapping; a value is a position in them."""
    return tuple(sorted(set(codes.values())))


def draw_codes(rng: np.random.Generator, table: str, column: str, weights: Mapping[str, float], count: int) -> Integers:
    """Codes of a column drawn by weight; the weights need not add up to 1."""
    positions = np.array([code_positions(table, column)[code] for code in weights], dtype=np.int32)
    return positions[draw_places(rng, list(weights.values()), count)]


def draw_places(rng: np.random.Generator, weights: Sequence[float], count: int) -> Indices:
    """Positions of ``weights`` drawn by weight."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn = np.searchsorted(bounds / bounds[-1], rng.random(count), side="right")
    return np.minimum(drawn, len(bounds) - 1).astype(np.int64)


def draw_code_sets(
    rng: np.random.Generator, table: str, column: str, shares: Mapping[str, float], count: int
) -> Integers:
    """Several codes a row, as bits: each code is there with its share, and at least one is."""
    positions = code_positions(table, column)
    bits = np.zeros(count, dtype=np.int32)
    for code, share in shares.items():
        bits |= np.where(rng.random(count) < share, 1 << positions[code], 0).astype(np.int32)
    one = np.int32(1) << draw_codes(rng, table, column, shares, count)
    return np.where(bits == 0, one, bits).astype(np.int32)


def where(condition: Mask, values: npt.ArrayLike) -> Integers:
    """``values`` where the condition holds, else missing."""
    return np.where(condition, values, MISSING).astype(np.int32)


def expand(counts: npt.ArrayLike) -> tuple[Indices, Indices]:
    """For owners with so many parts each: the owner of every part, and the part's place within it, from 0."""
    counts = np.asarray(counts, dtype=np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - first[owner]


def cumulate(values: npt.ArrayLike, owner: Indices) -> Indices:
    """Running sum of ``values`` within each run of equal ``owner``."""
    sums = np.cumsum(np.asarray(values, dtype=np.int64))
    if not len(sums):
        return sums
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    before = np.repeat(sums[starts] - np.asarray(values, dtype=np.int64)[starts], np.diff(np.r_[starts, len(sums)]))
    return sums - before


def normal(rng: np.random.Generator, mean: float, sd: float, low: float, high: float, count: int) -> Floats:
    """Normal values clipped to a range."""
    drawn = rng.standard_normal(count, dtype=np.float32) * np.float32(sd) + np.float32(mean)
    clipped: Floats = np.clip(drawn, np.float32(low), np.float32(high))
    return clipped


def take(rows: Rows, chosen: npt.NDArray[Any]) -> Rows:
    """The rows at some positions, or those where a mask holds."""
    return {name: values[chosen] for name, values in rows.items()}


def stack(parts: Sequence[Rows]) -> Rows:
    """Rows of several tables of the same columns, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def length(rows: Rows) -> int:
    """Number of rows."""
    return len(next(iter(rows.values())))
