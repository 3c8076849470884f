"""What a FHIRPath expression consists of, once read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf
from typing import TypeAlias

LiteralType: TypeAlias = OneOf["text", "integer", "number", "boolean", "empty"]


@dataclass(frozen=True)
class Literal:
    """A value written in the expression: ``'official'``, ``1``, ``1.5``, ``true``, ``@2015``, ``{}``."""

    type: LiteralType
    text: str


@dataclass(frozen=True)
class Variable:
    """A ``%name``: a constant of the view, or ``%rowIndex``."""

    name: str


@dataclass(frozen=True)
class This:
    """The element that the expression is about, ``$this``: written or meant."""


@dataclass(frozen=True)
class Member:
    """``base.name``: the children of that name of every element of the base."""

    base: Node
    name: str


@dataclass(frozen=True)
class Index:
    """``base[position]``, counted from zero."""

    base: Node
    position: Node


@dataclass(frozen=True)
class Call:
    """``base.name(arguments)``."""

    base: Node
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Negative:
    """``-operand``."""

    operand: Node


@dataclass(frozen=True)
class Binary:
    """``left operator right``."""

    operator: str
    left: Node
    right: Node


Node: TypeAlias = Literal | Variable | This | Member | Index | Call | Negative | Binary
