"""What whole views give: rows, their order, and views that are refused."""

import ast
import json
import sys
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes import sql_on_fhir
from clinic_outcomes.sql_on_fhir import ViewError, compile_view
from tests.support.sql_on_fhir import rows_of, value_of


def column(name, path=None, fhir_type="string"):
    return {"name": name, "path": path or name, "type": fhir_type}


WARD = {
    "resourceType": "Group",
    "id": "w",
    "bed": [
        {"n": 1, "sign": [{"s": "a"}, {"s": "b"}], "note": [{"t": "x"}]},
        {"n": 2},
        {"n": 3, "sign": [{"s": "c"}], "note": [{"t": "y"}, {"t": "z"}]},
    ],
}
EMPTY = {"resourceType": "Group", "id": "e"}


def test_nested_for_each_drops_what_has_no_elements():
    view = {
        "resource": "Group",
        "select": [
            {"forEach": "bed", "column": [column("n")], "select": [{"forEach": "sign", "column": [column("s")]}]}
        ],
    }
    assert rows_of(view, [WARD, EMPTY]) == [("1", "a"), ("1", "b"), ("3", "c")]


def test_for_each_or_null_keeps_it_at_every_depth():
    inner = {"forEachOrNull": "sign", "column": [column("s"), column("i", "%rowIndex", "integer")]}
    view = {
        "resource": "Group",
        "select": [{"column": [column("id")]}, {"forEachOrNull": "bed", "column": [column("n")], "select": [inner]}],
    }
    assert rows_of(view, [WARD, EMPTY]) == [
        ("w", "1", "a", 0),
        ("w", "1", "b", 1),
        ("w", "2", None, 0),
        ("w", "3", "c", 0),
        ("e", None, None, 0),
    ]


def test_siblings_are_crossed_with_the_first_outermost():
    view = {
        "resource": "Group",
        "select": [
            {
                "forEach": "bed",
                "column": [column("n")],
                "select": [{"forEach": "sign", "column": [column("s")]}, {"forEach": "note", "column": [column("t")]}],
            }
        ],
    }
    assert rows_of(view, [WARD]) == [
        ("1", "a", "x"),
        ("1", "b", "x"),
        ("3", "c", "y"),
        ("3", "c", "z"),
    ]


def test_unions_in_unions_give_their_rows_branch_by_branch_for_each_parent():
    notes = {"unionAll": [{"forEachOrNull": "note", "column": [column("v", "t")]}, {"column": [column("v", "'end'")]}]}
    union = {"unionAll": [{"forEach": "sign.where(s != 'b')", "column": [column("v", "s")]}, notes]}
    view = {"resource": "Group", "select": [{"forEach": "bed", "column": [column("n")], **union}]}
    assert rows_of(view, [WARD, EMPTY]) == [
        ("1", "a"),
        ("1", "x"),
        ("1", "end"),
        ("2", None),
        ("2", "end"),
        ("3", "c"),
        ("3", "y"),
        ("3", "z"),
        ("3", "end"),
    ]


def test_columns_after_a_union_and_a_union_beside_another():
    either = {"unionAll": [{"column": [column("a", "'1'")]}, {"column": [column("a", "'2'")]}]}
    other = {"unionAll": [{"column": [column("b", "'3'")]}, {"column": [column("b", "'4'")]}]}
    view = {"resource": "Group", "select": [either, other, {"column": [column("id")]}]}
    assert rows_of(view, [EMPTY]) == [("1", "3", "e"), ("1", "4", "e"), ("2", "3", "e"), ("2", "4", "e")]


def test_an_error_in_one_branch_is_not_met_in_another():
    # Only the beds with one sign are in the branch that expects one.
    one = {"forEach": "bed.where(sign.count() = 1)", "column": [column("s", "sign.s")]}
    view = {"resource": "Group", "select": [{"unionAll": [one, {"column": [column("s", "id")]}]}]}
    assert rows_of(view, [WARD]) == [("c",), ("w",)]


def test_a_condition_is_not_asked_of_other_resources():
    view = {"resource": "Group", "where": [{"path": "flag"}], "select": [{"column": [column("id")]}]}
    other = {"resourceType": "List", "id": "l", "flag": "no boolean"}
    assert rows_of(view, [other, {**WARD, "flag": True}, {**EMPTY, "flag": False}, EMPTY]) == [("w",)]


def test_repeat_gives_parents_before_children_along_all_paths():
    def item(name, *items, answers=()):
        return {"linkId": name, "item": list(items), "answer": [{"item": list(inner)} for inner in answers]}

    resource = {
        "resourceType": "QuestionnaireResponse",
        "item": [
            item("1", item("1.1", item("1.1.1")), item("1.2"), answers=[[item("1.a"), item("1.b")], [item("1.c")]]),
            item("2"),
        ],
    }
    repeat = {"repeat": ["item", "answer.item"], "column": [column("linkId"), column("i", "%rowIndex", "integer")]}
    view = {"resource": "QuestionnaireResponse", "select": [repeat]}
    names = ["1", "1.1", "1.1.1", "1.2", "1.a", "1.b", "1.c", "2"]
    assert rows_of(view, [resource, {**resource, "item": []}]) == [(name, n) for n, name in enumerate(names)]


def nested(levels):
    inner = {}
    for level in range(levels, 0, -1):
        inner = {"item": [{"linkId": str(level), **inner}]}
    return {"resourceType": "QuestionnaireResponse", **inner}


def test_repeat_follows_32_levels_and_refuses_more():
    view = {"resource": "QuestionnaireResponse", "select": [{"repeat": ["item"], "column": [column("linkId")]}]}
    assert rows_of(view, [nested(32)]) == [(str(level),) for level in range(1, 33)]
    with pytest.raises(
        duckdb.InvalidInputException, match=r"select\[0\].repeat\[0\]: elements are nested more than 32"
    ):
        rows_of(view, [nested(33)])


def test_rows_keep_the_order_of_lines_and_elements(tmp_path):
    lines = [
        {"resourceType": "Group", "id": f"g{n}", "bed": [{"n": f"{n}.{k}"} for k in range(n % 4)]}
        for n in range(40_000)
    ]
    file = tmp_path / "groups.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="ascii")
    union = {"unionAll": [{"forEach": "bed", "column": [column("v", "n")]}, {"column": [column("v", "id")]}]}
    view = {"resource": "Group", "select": [union]}
    expected = [(value,) for line in lines for value in [*(bed["n"] for bed in line["bed"]), line["id"]]]
    with duckdb.connect(config={"threads": 4}) as connection:
        relation = f"(SELECT json AS resource FROM read_ndjson_objects('{file}'))"
        assert connection.execute(compile_view(view, relation).sql).fetchall() == expected


def test_carried_columns_stand_in_front_whatever_their_names():
    with duckdb.connect() as connection:
        connection.execute("""CREATE TABLE t AS SELECT 7 AS element0, 8 AS parsed1, 9 AS "odd ""name", '{"resourceType":
            "Group", "id": "g", "bed": [{"n": 1}]}'::JSON AS "the json" """)
        view = {"resource": "Group", "select": [{"forEach": "bed", "column": [column("rows0", "n", "integer")]}]}
        compiled = compile_view(view, "t", resource="the json", carry=["element0", "parsed1", 'odd "name'])
        result = connection.sql(f"SELECT * FROM ({compiled.sql})")
        assert result.columns == ["element0", "parsed1", 'odd "name', "rows0"]
        assert result.fetchall() == [(7, 8, 9, 1)]


def test_columns_are_described_as_duckdb_sees_them():
    types = ["string", "boolean", "integer", "integer64", "decimal", "dateTime", None]
    columns = [
        {"name": f"c{n}{'s' * many}", "path": "x", "collection": many} | ({"type": name} if name else {})
        for n, name in enumerate(types)
        for many in (False, True)
    ]
    columns += [{"name": "exists", "path": "x.exists()"}, {"name": "count", "path": "x.count()"}]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (resource JSON)")
        compiled = compile_view({"resource": "Basic", "select": [{"column": columns}]}, "t")
        seen = connection.sql(compiled.sql)
        assert [(c.name, c.sql_type.replace(" ", "")) for c in compiled.columns] == [
            (name, str(sql_type)) for name, sql_type in zip(seen.columns, seen.types, strict=True)
        ]


HOSTILE = [
    "'; DROP TABLE lines; --",
    "' || (SELECT 'stolen') || '",
    "\\",
    '"',
    "{rows}",
    "{0}",
    "%s",
    "\0",
    "é\u2028\U0001f600",
    "$1",
    "/* */ -- ;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_a_view_stay_texts(text):
    constant = [{"name": "c", "valueString": text}]
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    # JSON of FHIR cannot hold a NUL, and neither can a text in the resource here.
    stored = text.replace("\0", "")
    assert value_of("%c", {}, "string", constant) == text
    assert value_of(f"'{escaped}'", {}, "string") == text
    assert value_of("v = %c", {"v": stored}, "boolean", constant) is (stored == text)
    assert value_of("v.where($this != %c).exists()", {"v": stored}, "boolean", constant) is (stored != text)
    assert value_of("v.join(%c)", {"v": ["a", "b"]}, "string", constant) == f"a{text}b"
    assert value_of("extension(%c).value.ofType(string)", {"extension": [{"url": stored, "valueString": "x"}]},
                    "string", constant) == ("x" if stored == text else None)  # fmt: skip


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a;--", "a b", "$.x", "{rows}", "JSON", "select", "0", "é"])
def test_names_of_elements_stay_names(name):
    assert value_of(f"`{name}`", {name: "x"}) == "x"
    assert value_of(f"up.`{name}`", {"up": [{name: "x"}]}) == "x"
    assert value_of(f"up.where(`{name}` = 'x').n", {"up": [{name: "x", "n": 1}]}, "integer") == 1


GOOD = {"resource": "Group", "select": [{"column": [column("id")]}]}
A, B = {"column": [column("a", "id")]}, {"column": [column("b", "id")]}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"resource": "Group'; --"}, "resource"),
        ({"resource": None}, "resource"),
        ({"resourceType": "Patient"}, "resourceType"),
        ({"select": []}, "select"),
        ({"select": {}}, "select"),
        ({"select": ["id"]}, "select[0]"),
        ({"select": [{}]}, "select[0]"),
        ({"select": [{"forEachOrNul": "bed", **A}]}, "select[0]"),
        ({"select": [{"forEach": "bed", "forEachOrNull": "bed", **A}]}, "select[0]"),
        ({"select": [{"repeat": "item", **A}]}, "select[0].repeat"),
        ({"select": [{"repeat": [1], **A}]}, "select[0].repeat[0]"),
        ({"select": [{"forEach": "'a'", **A}]}, "select[0].forEach"),
        ({"select": [{"column": [column("a b", "id")]}]}, "select[0].column[0].name"),
        ({"select": [{"column": [column('a"', "id")]}]}, "select[0].column[0].name"),
        ({"select": [{"column": [{"name": "a"}]}]}, "select[0].column[0].path"),
        ({"select": [{"column": [{**column("a"), "colection": True}]}]}, "select[0].column[0]"),
        ({"select": [{"column": [{**column("a"), "collection": "yes"}]}]}, "select[0].column[0].collection"),
        ({"select": [{"column": [{**column("a"), "type": 1}]}]}, "select[0].column[0].type"),
        ({"select": [{"column": [column("a", "true", "integer")]}]}, "select[0].column[0].path"),
        ({"select": [A, A]}, "select"),
        ({"select": [A, {"column": [column("A", "id")]}]}, "select"),
        ({"select": [{"column": [column("Line", "id")]}]}, "select"),
        ({"select": [{"unionAll": [A, B]}]}, "select[0].unionAll[1]"),
        ({"select": [{"unionAll": [A, {"column": [column("a", "id", "integer")]}]}]}, "select[0].unionAll[1]"),
        ({"select": [A, {"select": [{"unionAll": [B, {"select": []}]}]}]}, "select[1].select[0].unionAll[1]"),
        ({"where": [{"path": "'a'"}]}, "where[0].path"),
        ({"where": [{}]}, "where[0].path"),
        ({"constant": [{"name": "c", "valueString": 1}]}, "constant[0].valueString"),
        ({"constant": [{"name": "c", "valueInteger": True}]}, "constant[0].valueInteger"),
        ({"constant": [{"name": "c", "valueQuantity": {}}]}, "constant[0].valueQuantity"),
        ({"constant": [{"name": "c", "valueString": "a", "valueCode": "a"}]}, "constant[0]"),
        ({"constant": [{"name": "c", "valueDecimal": float("nan")}]}, "constant[0].valueDecimal"),
        ({"constant": [{"name": "rowIndex", "valueInteger": 1}]}, "constant[0].name"),
        ({"constant": [{"name": "c", "valueString": "a"}] * 2}, "constant[1].name"),
        ({"select": [{"column": [column("a", "bed.n"), column("b", "Bed.n")]}]}, "select"),
    ],
)
def test_a_view_that_is_not_valid(change, place):
    with pytest.raises(ViewError) as refusal:
        compile_view({**GOOD, **change}, "t", carry=["line"])
    assert refusal.value.place == place


def test_selects_nested_too_deep_are_refused():
    select = A
    for _ in range(500):
        select = {"select": [select]}
    with pytest.raises(ViewError, match="more than 20 deep"):
        compile_view({"resource": "Group", "select": [select]}, "t")


@pytest.mark.parametrize(
    "pattern", ["a = ({})", "({}) = a", "a[({}).count()]", "({}) + a", "({}).first()", "({}).b", "{}.extension"]
)
@pytest.mark.parametrize("around", ["{}", "({}) and a"])
def test_the_size_of_the_query_grows_with_that_of_the_path(pattern, around):
    def size(depth):
        path = "a"
        for _ in range(depth):
            path = pattern.format(path)
        view = {"resource": "Group", "select": [{"column": [{"name": "v", "path": around.format(path)}]}]}
        return len(compile_view(view, "t").sql)

    # Linear: as much more from 3 to 6 as from 6 to 9 (the numbers of parameters may get longer).
    assert size(9) - size(6) <= 1.2 * (size(6) - size(3))


def test_compiling_twice_gives_the_same_text():
    view = {"resource": "Group", "select": [{"forEach": "bed", "column": [column("n"), column("s", "sign.s.join()")]}]}
    assert compile_view(view, "t") == compile_view(view, "t")


def test_the_package_stands_by_itself():
    folder = Path(sql_on_fhir.__file__).parent
    imported = {}
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.setdefault(file.name, set()).update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.setdefault(file.name, set()).add(node.module)
    own = "clinic_outcomes.sql_on_fhir"
    foreign = {
        (file, module)
        for file, modules in imported.items()
        for module in modules
        if not module.startswith(own) and module.partition(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == {("conformance.py", "duckdb")}
