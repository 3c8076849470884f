"""From a ViewDefinition to one SELECT."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clinic_outcomes.sql_on_fhir import repetition, rows, syntax
from clinic_outcomes.sql_on_fhir.definition import Column, Iteration, Path, Select, read_view
from clinic_outcomes.sql_on_fhir.errors import ViewError
from clinic_outcomes.sql_on_fhir.expressions import Scope
from clinic_outcomes.sql_on_fhir.rows import Element, Rows
from clinic_outcomes.sql_on_fhir.sql import DECIMAL, Names, quote_name, quote_text, raw
from clinic_outcomes.sql_on_fhir.values import SQL_TYPES, ScalarType, Value

# FHIR types that are not text in SQL. Dates and times stay text: FHIR's may be partial, which no SQL type can hold.
_COLUMN_TYPES: dict[str, tuple[ScalarType, str]] = {
    "boolean": ("boolean", "BOOLEAN"),
    "integer": ("integer", "INTEGER"),
    "positiveInt": ("integer", "INTEGER"),
    "unsignedInt": ("integer", "INTEGER"),
    "integer64": ("integer", "BIGINT"),
    "decimal": ("number", DECIMAL),
}


@dataclass(frozen=True)
class ViewColumn:
    """A column of a view: its name, the FHIR type that the view states (if any), its SQL type, whether it is a list."""

    name: str
    fhir_type: str | None
    sql_type: str
    collection: bool


@dataclass(frozen=True)
class CompiledView:
    """A view as SQL: a query that may stand in ``FROM (…)``, and its columns in order, without those carried."""

    sql: str
    columns: tuple[ViewColumn, ...]


def compile_view(
    view: Mapping[str, Any], relation: str, *, resource: str = "resource", carry: Sequence[str] = ()
) -> CompiledView:
    """Compile a ViewDefinition to a DuckDB query. Reads and runs nothing.

    Args:
        view: the ViewDefinition, as its JSON reads.
        relation: SQL of what the query reads, as it stands after FROM: a name, or a query in brackets. It has a JSON
            column of whole resources; those of another type than the view's give no row.
        resource: the name of that column.
        carry: columns of the relation that every row of a resource repeats unchanged, in front of the view's columns.

    Returns:
        The query. Its rows come in the order of the relation's and, for one resource, of its elements, as long as
        DuckDB's ``preserve_insertion_order`` is on (its default).
        It fails, with the place in the view and never with a value, on a resource that does not fit the view: several
        values in a column that is no collection, a value that is not of the column's type.

    Raises:
        ViewError: the view is not valid, or uses FHIRPath beyond the supported part.

    """
    definition = read_view(view)
    compiler = _Compiler(definition.constants)
    compiler.filter(definition.resource, definition.conditions)
    outputs = [output for select in definition.selects for output in compiler.select(select, compiler.root, None)]
    columns = tuple(output.column for output in outputs)
    _refuse_repeated([*carry, *(column.name for column in columns)])
    carried = [f"{quote_name(name)} AS carried{number}" for number, name in enumerate(carry)]
    first = f"SELECT {', '.join([*carried, f'{quote_name(resource)} AS element0'])} FROM {relation}"
    expressions, last = compiler.rows.written(first)
    selected = [f"carried{number} AS {quote_name(name)}" for number, name in enumerate(carry)]
    selected += [f"{output.sql} AS {quote_name(output.column.name)}" for output in outputs]
    return CompiledView(f"WITH {', '.join(expressions)} SELECT {', '.join(selected)} FROM {last}", columns)


@dataclass(frozen=True)
class _Output:
    column: ViewColumn
    sql: str


class _Compiler:
    """Builds the chain of rows while it walks the view."""

    def __init__(self, constants: Mapping[str, syntax.Literal]) -> None:
        self.rows = Rows()
        self.root = Element(0, "select")
        self._constants = constants
        self._names = Names()

    def filter(self, resource: str, conditions: Sequence[Path]) -> None:
        """Keep resources of the view's type of which all conditions are true."""
        of_type = f"{raw(self.root.field('resourceType'))} = {quote_text(json.dumps(resource))}"
        checks = [self._condition(path) for path in conditions]
        # CASE, not AND: a condition must not be evaluated, and perhaps fail, on a resource of another type.
        condition = f"CASE WHEN {of_type} THEN {' AND '.join(checks)} ELSE false END" if checks else of_type
        self.rows.add(rows.parse_element(self.root))
        self.rows.add(rows.keep_where(condition))

    def select(self, select: Select, parent: Element, guard: str | None) -> list[_Output]:
        """Add the rows of a select to the chain; its columns: own, of nested selects, of alternatives."""
        element = self._iterate(select.iteration, parent, guard) if select.iteration else parent
        outputs = self._columns(select.columns, element, guard)
        for nested in select.selects:
            outputs += self.select(nested, element, guard)
        if select.alternatives:
            outputs += self._alternatives(select, element, guard)
        return outputs

    def _iterate(self, iteration: Iteration, parent: Element, guard: str | None) -> Element:
        element = Element(self.rows.number(), iteration.paths[0].place)
        scope = self._scope(iteration.paths[0], parent)
        if iteration.kind == "repeat":
            source = Value(self._repeated(iteration, scope), "list", "json")
        else:
            source = scope.evaluate(iteration.paths[0].node)
        if source.type != "json":
            raise ViewError(iteration.paths[0].place, f"gives a {source.type}, not elements")
        or_null = iteration.kind == "forEachOrNull"
        self.rows.add(rows.unnest(element, source, scope.convert.as_list(source), or_null=or_null, guard=guard))
        return element

    def _repeated(self, iteration: Iteration, scope: Scope) -> str:
        def children(of: Scope) -> str:
            lists = [of.convert.as_list(of.evaluate(path.node)) for path in iteration.paths]
            return lists[0] if len(lists) == 1 else f"list_concat({', '.join(lists)})"

        return repetition.descendants(
            children(scope), lambda x: children(scope.about(x)), iteration.paths[0].place, self._names
        )

    def _columns(self, columns: Sequence[Column], element: Element, guard: str | None) -> list[_Output]:
        """Computed as soon as the element is known, before further rows repeat it."""
        outputs, computed = [], []
        for column in columns:
            output, sql = self._column(column, element)
            outputs.append(output)
            computed.append((output.sql, sql))
        if computed:
            self.rows.add(rows.compute(computed, guard))
        return outputs

    def _column(self, column: Column, element: Element) -> tuple[_Output, str]:
        scope = self._scope(column.path, element)
        value = scope.evaluate(column.path.node)
        scalar, sql_type = _column_type(column, value)
        if column.collection:
            sql = scope.names.each(
                scope.convert.as_list(value), lambda x: scope.convert.converted(x, value.type, scalar, sql_type)
            )
            sql_type += "[]"
        else:
            sql = scope.convert.scalar(value, scalar, sql_type)
        described = ViewColumn(column.name, column.fhir_type, sql_type, column.collection)
        return _Output(described, f"column{self.rows.number()}"), sql

    def _alternatives(self, select: Select, element: Element, guard: str | None) -> list[_Output]:
        number = self.rows.number()
        self.rows.add(rows.branch(number, len(select.alternatives), guard))
        branches = [
            self.select(alternative, element, f"branch{number} = {n}")
            for n, alternative in enumerate(select.alternatives)
        ]
        for alternative, outputs in zip(select.alternatives, branches, strict=True):
            _refuse_different(alternative.place, branches[0], outputs)
        merged = []
        for same in zip(*branches, strict=True):
            cases = " ".join(f"WHEN {n} THEN {output.sql}" for n, output in enumerate(same))
            merged.append(_Output(same[0].column, f"CASE branch{number} {cases} END"))
        return merged

    def _condition(self, path: Path) -> str:
        scope = self._scope(path, self.root)
        value = scope.evaluate(path.node)
        if value.type not in ("boolean", "json"):
            raise ViewError(path.place, f"gives a {value.type}, not a boolean")
        return f"coalesce({scope.convert.scalar(value, 'boolean')}, false)"

    def _scope(self, path: Path, element: Element) -> Scope:
        return Scope(element, element.index, self._constants, path.place, self._names)


def _column_type(column: Column, value: Value) -> tuple[ScalarType, str]:
    """The type that the view states; if it states none, that of the expression, and text where only the data says."""
    if column.fhir_type is not None:
        return _COLUMN_TYPES.get(column.fhir_type, ("text", "VARCHAR"))
    scalar: ScalarType = "text" if value.type == "json" else value.type
    return scalar, SQL_TYPES[scalar]


def _refuse_different(place: str, first: Sequence[_Output], other: Sequence[_Output]) -> None:
    expected = [(output.column.name, output.column.sql_type) for output in first]
    if [(output.column.name, output.column.sql_type) for output in other] != expected:
        raise ViewError(place, "has not the columns of the first alternative: same names and types, in the same order")


def _refuse_repeated(names: Sequence[str]) -> None:
    folded = [name.casefold() for name in names]  # SQL's names know no upper and lower case
    repeated = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if repeated:
        raise ViewError("select", f"{', '.join(repeated)} is the name of more than one column")
