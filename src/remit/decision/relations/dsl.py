"""OpenFGA's DSL, schema 1.1: from a text to a model. Each refusal has line and column.

Words have their meaning by their place, so a relation may be called `or` or `from`. Modules (schema 1.2) are
refused. Operators of two kinds need parentheses, as in OpenFGA.
"""

import re
from typing import Final, NamedTuple, NoReturn

from remit.decision.relations.errors import ModelFault, ModelRefused
from remit.decision.relations.model import (
    AuthorizationModel,
    ComputedUserset,
    ConditionDefinition,
    Difference,
    Intersection,
    Parameter,
    ParameterKind,
    ParameterType,
    RelationDefinition,
    Rewrite,
    This,
    TupleToUserset,
    TypeDefinition,
    Union,
    UserType,
)
from remit.decision.relations.soundness import NESTING, Place, nearest
from remit.decision.relations.typesystem import TypeSystem

TEXT_BYTES: Final = 256 * 1024
_TOKENS: Final = re.compile(
    r"(?P<space>[^\S\n]+)|(?P<line>\n)|(?P<word>[A-Za-z0-9_][A-Za-z0-9_\-/.]*)|(?P<sign>[\[\](){}<>,:#*])"
)


class Token(NamedTuple):
    """A word or a sign, and where it stands; the last token of a text is empty."""

    text: str
    line: int
    column: int
    start: int
    word: bool


def read_dsl(text: str) -> TypeSystem:
    """A checked model from its DSL; raises `ModelRefused`."""
    model, places = parse_dsl(text)
    return TypeSystem.of(model, places)


def parse_dsl(text: str) -> tuple[AuthorizationModel, dict[Place, tuple[int, int]]]:
    """A model and the places of its words; raises `ModelRefused` for a text that is none."""
    size = len(text.encode())
    if size > TEXT_BYTES:
        raise ModelRefused((ModelFault(sentence=f"the model has {size} bytes, of at most {TEXT_BYTES}"),))
    reader = _Reader(text)
    return reader.model(), reader.places


class _Reader:
    """Reads one text from front to back."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at, self._line, self._line_start = 0, 1, 0
        self.places: dict[Place, tuple[int, int]] = {}
        self._users: list[UserType] = []
        self._where: tuple[str, str] = ("", "")
        self._token = self._next()

    # Words and signs.

    def _next(self) -> Token:
        while self._at < len(self._text):
            if self._text[self._at] == "#" and self._comment_starts():
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
                continue
            found = _TOKENS.match(self._text, self._at)
            column = self._at - self._line_start + 1
            if found is None:
                self._fail(
                    Token(self._text[self._at], self._line, column, self._at, word=False),
                    "unexpected character",
                )
            self._at = found.end()
            if found.lastgroup == "line":
                self._line, self._line_start = self._line + 1, self._at
            elif found.lastgroup != "space":
                return Token(found[0], self._line, column, found.start(), found.lastgroup == "word")
        return Token("", self._line, self._at - self._line_start + 1, self._at, word=False)

    def _comment_starts(self) -> bool:
        return self._at == 0 or self._text[self._at - 1].isspace()

    def _take(self) -> Token:
        token, self._token = self._token, self._next()
        return token

    def _is(self, text: str) -> bool:
        return self._token.text == text

    def _accept(self, text: str) -> bool:
        if self._is(text):
            self._take()
            return True
        return False

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            near = nearest(self._token.text, [text]) if self._token.word else ""
            self._fail(self._token, f"expected `{text}`, found", suggestion=near)
        return self._take()

    def _name(self, what: str) -> Token:
        if not self._token.word:
            self._fail(self._token, f"expected {what}, found")
        return self._take()

    def _fail(self, token: Token, sentence: str, *, suggestion: str = "") -> NoReturn:
        said = f"{sentence} `{token.text}`" if token.text else f"{sentence} the end of the text"
        fault = ModelFault(sentence=said, line=token.line, column=token.column, suggestion=suggestion)
        raise ModelRefused((fault,))

    def _place(self, token: Token) -> None:
        self.places.setdefault((*self._where, token.text), (token.line, token.column))

    # The model.

    def model(self) -> AuthorizationModel:
        """The whole text."""
        self._expect("model")
        self._expect("schema")
        version = self._name("a schema version")
        types: list[TypeDefinition] = []
        conditions: list[ConditionDefinition] = []
        while self._token.text:
            if self._accept("type"):
                types.append(self._type())
            elif self._accept("condition"):
                conditions.append(self._condition())
            else:
                near = nearest(self._token.text, ("type", "condition"))
                self._fail(self._token, "expected `type` or `condition`, found", suggestion=near)
        self.places[("", "", "")] = (version.line, version.column)
        return AuthorizationModel(
            schema_version=version.text, types=tuple(types), conditions=tuple(conditions)
        )

    def _type(self) -> TypeDefinition:
        name = self._name("the name of a type")
        self.places.setdefault((name.text, "", ""), (name.line, name.column))
        relations: list[RelationDefinition] = []
        if self._is("relations"):
            self._take()
            while self._is("define"):
                self._take()
                relations.append(self._relation(name.text))
            if not relations:
                self._fail(
                    self._token, "expected `define`, found", suggestion=nearest(self._token.text, ["define"])
                )
        return TypeDefinition(name=name.text, relations=tuple(relations))

    def _relation(self, kind: str) -> RelationDefinition:
        name = self._name("the name of a relation")
        self._where = (kind, name.text)
        self.places.setdefault((kind, name.text, ""), (name.line, name.column))
        self._expect(":")
        self._users = []
        rewrite = self._expression(NESTING)
        return RelationDefinition(name=name.text, rewrite=rewrite, user_types=tuple(self._users))

    # Expressions.

    def _expression(self, depth: int) -> Rewrite:
        if depth == 0:
            self._fail(self._token, f"parentheses are nested deeper than {NESTING} at")
        first = self._operand(depth)
        if self._is("or"):
            return Union(children=self._chain("or", first, depth))
        if self._is("and"):
            return Intersection(children=self._chain("and", first, depth))
        if self._is("but"):
            self._take()
            self._expect("not")
            found = Difference(base=first, subtract=self._operand(depth))
            self._no_operator("but not")
            return found
        return first

    def _chain(self, word: str, first: Rewrite, depth: int) -> tuple[Rewrite, ...]:
        children = [first]
        while self._accept(word):
            children.append(self._operand(depth))
        self._no_operator(word)
        return tuple(children)

    def _no_operator(self, word: str) -> None:
        if self._token.text in {"or", "and", "but"}:
            self._fail(self._token, f"operators can't follow `{word}` without parentheses; found")

    def _operand(self, depth: int) -> Rewrite:
        if self._accept("("):
            inner = self._expression(depth - 1)
            self._expect(")")
            return inner
        if self._is("["):
            return self._direct()
        name = self._name("a relation, `[` or `(`")
        self._place(name)
        if not self._accept("from"):
            return ComputedUserset(relation=name.text)
        tupleset = self._name("the relation to go through")
        self._place(tupleset)
        return TupleToUserset(tupleset=tupleset.text, computed=name.text)

    def _direct(self) -> This:
        start = self._expect("[")
        users = [self._user_type()]
        while self._accept(","):
            users.append(self._user_type())
        self._expect("]")
        if self._users and self._users != users:
            self._fail(start, "a relation has one list of types of users; a second one begins at")
        self._users = users
        return This()

    def _user_type(self) -> UserType:
        kind = self._name("a type of user")
        self._place(kind)
        relation, wildcard, condition = "", False, ""
        if self._accept("#"):
            found = self._name("a relation")
            self._place(found)
            relation = found.text
        elif self._accept(":"):
            self._expect("*")
            wildcard = True
        if self._accept("with"):
            named = self._name("a condition")
            self._place(named)
            condition = named.text
        return UserType(type=kind.text, relation=relation, wildcard=wildcard, condition=condition)

    # Conditions.

    def _condition(self) -> ConditionDefinition:
        name = self._name("the name of a condition")
        self.places.setdefault(("condition", name.text, ""), (name.line, name.column))
        self._expect("(")
        parameters: list[Parameter] = []
        while not self._is(")"):
            parameters.append(self._parameter())
            if not self._accept(","):
                break
        self._expect(")")
        if not self._is("{"):
            self._fail(self._token, "expected `{`, found")
        return ConditionDefinition(name=name.text, parameters=tuple(parameters), expression=self._body())

    def _parameter(self) -> Parameter:
        name = self._name("the name of a parameter")
        self._expect(":")
        return Parameter(name=name.text, type=self._kind(NESTING))

    def _kind(self, depth: int) -> ParameterType:
        token = self._name("the type of a parameter")
        if token.text not in set(ParameterKind) or depth == 0:
            self._fail(token, "unknown parameter type", suggestion=nearest(token.text, list(ParameterKind)))
        kind = ParameterKind(token.text)
        if not kind.generic:
            return ParameterType(kind=kind)
        self._expect("<")
        inner = self._kind(depth - 1)
        self._expect(">")
        return ParameterType(kind=kind, of=inner)

    def _body(self) -> str:
        """The CEL between the braces, as written; reading goes on after the closing brace."""
        opening = self._token
        end = _closing(self._text, opening.start + 1)
        if end < 0:
            self._fail(opening, "nothing closes")
        body = self._text[opening.start + 1 : end]
        self._at = end + 1
        self._line = opening.line + body.count("\n")
        last = self._text.rfind("\n", 0, self._at)
        self._line_start = last + 1
        self._token = self._next()
        return body.strip()


_CEL_PARTS: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|//[^\n]*|[{}]',
    re.DOTALL,
)


def _closing(text: str, start: int) -> int:
    """The place of the brace that closes what was opened before `start`; -1 if there is none."""
    depth = 1
    for found in _CEL_PARTS.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.start()
    return -1
