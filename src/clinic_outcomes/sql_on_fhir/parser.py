"""From tokens to the tree of a FHIRPath expression: precedence climbing, one function a level of grammar."""

from __future__ import annotations

from clinic_outcomes.sql_on_fhir.syntax import Binary, Call, Index, Literal, Member, Negative, Node, This, Variable
from clinic_outcomes.sql_on_fhir.tokens import PathError, Token, tokens_of

# From the loosest to the tightest; operators of one level group from the left.
_LEVELS = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("=", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-", "&"),
    ("*", "/"),
)
# Far beyond any real path, and well within what Python and DuckDB can nest.
_DEEPEST = 50  # brackets in brackets
_LONGEST = 200  # tokens


def parse(expression: str) -> Node:
    """The tree of an expression.

    Raises:
        PathError: the expression is not of the supported FHIRPath.

    """
    tokens = tokens_of(expression)
    if len(tokens) > _LONGEST:
        raise PathError(f"is longer than {_LONGEST} names, values and signs")
    parser = _Parser(tokens)
    node = parser.operation(0)
    if parser.current.kind != "end":
        raise PathError(f"{parser.current.text} is not expected here")
    return node


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    @property
    def current(self) -> Token:
        return self._tokens[self._position]

    def operation(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._signed()
        left = self.operation(level + 1)
        while self.current.kind in ("symbol", "name") and self.current.text in _LEVELS[level]:
            operator = self._next().text
            left = Binary(operator, left, self.operation(level + 1))
        return left

    def _signed(self) -> Node:
        if self._takes("-"):
            return Negative(self._chain())
        self._takes("+")
        return self._chain()

    def _chain(self) -> Node:
        node = self._term()
        while True:
            if self._takes("."):
                node = self._invocation(node)
            elif self._takes("["):
                node = Index(node, self._nested())
                self._expect("]")
            else:
                return node

    def _term(self) -> Node:
        token = self.current
        if token.kind in ("text", "integer", "number"):
            self._next()
            return Literal(token.kind, token.text)  # type: ignore[arg-type]
        if token.kind == "name" and token.text in ("true", "false"):
            self._next()
            return Literal("boolean", token.text)
        if token.kind == "variable":
            return Variable(self._next().text)
        if token.kind == "this":
            self._next()
            return This()
        if self._takes("{"):
            self._expect("}")
            return Literal("empty", "")
        if self._takes("("):
            node = self._nested()
            self._expect(")")
            return node
        return self._invocation(This())

    def _invocation(self, base: Node) -> Node:
        if self.current.kind != "name":
            raise PathError("a name is missing" if self.current.kind == "end" else f"{self.current.text} is not a name")
        name = self._next().text
        if not self._takes("("):
            return Member(base, name)
        arguments = []
        if not self._takes(")"):
            arguments.append(self._nested())
            while self._takes(","):
                arguments.append(self._nested())
            self._expect(")")
        return Call(base, name, tuple(arguments))

    def _nested(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PathError(f"brackets are nested more than {_DEEPEST} deep")
        node = self.operation(0)
        self._depth -= 1
        return node

    def _next(self) -> Token:
        token = self.current
        self._position += 1
        return token

    def _takes(self, symbol: str) -> bool:
        if self.current == Token("symbol", symbol):
            self._position += 1
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self._takes(symbol):
            raise PathError(f"{symbol} is missing")
