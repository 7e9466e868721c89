"""The judge of documents: `jsonschema` over the published schemas, and its errors in our words.

`judge` takes a document whose spellings are folded (see `schema_walk`) and yields a `Fault` for
each thing that is wrong with one value. What two values say about each other is not its business.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pellucid.errors import did_you_mean
from pellucid.metadata.documents.document import describe, float_text
from pellucid.metadata.documents.json_positions import Path, quoted
from pellucid.metadata.published_schemas import schema
from pellucid.metadata.spec import Dialect
from pellucid.metadata.spellings import VERTEX_NAMES, common_name, folded, snake

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

Rule: TypeAlias = "Mapping[str, Any]"
Keyword: TypeAlias = "Callable[[Any, Any, Any, Any], Iterator[ValidationError]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong at `path` of a folded document, by which keyword of the schema.

    With `spoils` the value there is of no use; else it is advice, or about a key that is missing
    or does not belong to the object.
    """

    code: str
    message: str
    path: Path
    keyword: str
    instance: Any
    at_key: bool = False
    spoils: bool = True


class Keys(NamedTuple):
    """The keys of an object: by what their spellings have in common, and their common names."""

    folded: Mapping[str, str]
    common: Mapping[str, str]
    usual: frozenset[str]


class Grammar:
    """A schema in its dialect's own spelling, with what is asked of its parts again and again."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.definitions: Mapping[str, Rule] = schema(dialect)["$defs"]
        self._keys: dict[int, Keys | None] = {}
        self._words: dict[int, Mapping[str, str]] = {}
        self._free: dict[int, frozenset[type]] = {}
        self._validators: dict[str, Validator] = {}

    def resolved(self, rule: Rule) -> Rule:
        """Return what a reference refers to."""
        while "$ref" in rule:
            rule = self.definitions[rule["$ref"].rpartition("/")[2]]
        return rule

    def keys(self, rule: Rule) -> Keys | None:
        """Return the keys that an object may have, None where people choose them."""
        if id(rule) not in self._keys:
            own = list(rule.get("properties", ()))
            vertex = self.dialect is Dialect.VERTEX
            usual = frozenset(own + [snake(it) for it in own if vertex])
            by_fold = {folded(it, self.dialect): it for it in own}
            common = {it: common_name(it, self.dialect) for it in own}
            self._keys[id(rule)] = Keys(by_fold, common, usual) if own else None
        return self._keys[id(rule)]

    def words(self, rule: Rule) -> Mapping[str, str]:
        """Return the values of a string that ignores case, by their lower case; else nothing."""
        if id(rule) not in self._words:
            words = rule["enum"] if "x-ignore-case" in rule else ()
            self._words[id(rule)] = {it.lower(): it for it in words}
        return self._words[id(rule)]

    def free(self, rule: Rule) -> frozenset[type]:
        """Return the Python types of scalars of which nothing is asked but their type."""
        if id(rule) not in self._free:
            whole = self.resolved(rule)
            named = whole.get("type", list(_SCALARS))
            kinds = [named] if isinstance(named, str) else named
            types = {it for kind in kinds for it in _SCALARS.get(kind, ())}
            self._free[id(rule)] = frozenset(types if whole.keys() <= _OF_CONTAINERS else ())
        return self._free[id(rule)]

    def validator(self, definition: str) -> Validator:
        """Return the validator of a definition, which never looks for a schema elsewhere."""
        if definition not in self._validators:
            from jsonschema import Draft202012Validator
            from jsonschema.validators import extend
            from referencing import Registry

            made: Any = extend(Draft202012Validator, _keywords(self))  # type: ignore[no-untyped-call]
            rule = {"$ref": f"#/$defs/{definition}", "$defs": self.definitions}
            self._validators[definition] = made(rule, registry=Registry())
        return self._validators[definition]


_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "number": (int, float),
    "integer": (int,),
    "string": (str,),
    "boolean": (bool,),
}
_OF_CONTAINERS: Final = frozenset(
    {
        *("type", "description", "default", "items", "minItems", "properties", "required"),
        *("patternProperties", "additionalProperties", "minProperties", "maxProperties", "x-rule"),
    }
)
"""Keywords that ask nothing of a scalar but its type."""

grammar = cache(Grammar)


def _keywords(rules: Grammar) -> dict[str, Keyword]:
    """Return the keywords that are read in another way than `jsonschema` does.

    Three lead to the parts of a value. They do not follow scalars of which nothing is asked but
    their type, which are nearly all of a large document, and an unknown key is an error of its own.
    ``pattern`` is ECMA's, whose ``$`` is the end. Two are advice, and annotations elsewhere.
    """
    from jsonschema import ValidationError

    free, resolved = rules.free, rules.resolved

    def properties(judge: Any, known: Any, value: Any, _: Any) -> Iterator[ValidationError]:
        for key, item in value.items() if isinstance(value, dict) else ():
            if key in known and type(item) not in free(known[key]):
                yield from judge.descend(item, resolved(known[key]), path=key)

    def additional(judge: Any, others: Any, value: Any, rule: Any) -> Iterator[ValidationError]:
        known, patterns = rule.get("properties", {}), rule.get("patternProperties", {})
        for key, item in value.items() if isinstance(value, dict) else ():
            if key in known or any(_matches(it, key) for it in patterns):
                continue
            if others is False:
                yield ValidationError("", path=[key])
            elif others is not True and type(item) not in free(others):
                yield from judge.descend(item, resolved(others), path=key)

    def items(judge: Any, rule: Any, value: Any, _: Any) -> Iterator[ValidationError]:
        valid = free(rule)
        for at, item in enumerate(value) if isinstance(value, list) else ():
            if type(item) not in valid:
                yield from judge.descend(item, resolved(rule), path=at)

    return {
        "properties": properties,
        "additionalProperties": additional,
        "items": items,
        "pattern": _pattern,
        "deprecated": _deprecated,
        "x-service-maximum": _beyond,
    }


def _pattern(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not _matches(wanted, value):
        yield ValidationError("")


def _deprecated(_: Any, said: Any, __: Any, ___: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if said:
        yield ValidationError("")


def _beyond(judge: Any, most: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if judge.is_type(value, "number") and value > most:
        yield ValidationError("")


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def judge(
    document: Any,
    definition: str,
    dialect: Dialect,
    unset: Mapping[int, Mapping[str, Any]],
    full: Callable[[str], bool] = lambda code: False,
    most: int | None = None,
) -> Iterator[Fault]:
    """Yield the faults of a folded document along a definition, in the order of the document.

    A value of a wrong type has that fault alone. `unset` are the fields of each object, by
    its identity, that were left out of it since their value says that they are not set. Behind
    the first `most` they come in any order; what nobody reads of a rule, because it is `full`, is
    not spelled out.
    """
    orders: dict[int, dict[str, int]] = {}
    found = grammar(dialect).validator(definition).iter_errors(document)
    errors = list(islice(found, most))
    errors.sort(key=lambda it: _order(it, document, orders))
    typed = {tuple(it.path) for it in errors if it.validator == "type"}
    absent: set[Path] = set()
    for error in chain(errors, found):
        path: Path = tuple(error.path)
        keyword = str(error.validator)
        if keyword != "type" and path in typed:
            continue
        if keyword == "required":
            if path in absent:
                continue
            absent.add(path)
        harmless = keyword in _HARMLESS
        left_out = unset.get(id(error.instance), {})
        for code, message in _said(keyword, error, dialect, left_out, full):
            yield Fault(
                code=code,
                message=message,
                path=path,
                keyword=keyword,
                instance=error.instance,
                at_key=keyword in ("additionalProperties", "deprecated"),
                spoils=not harmless,
            )


def _order(error: ValidationError, document: Any, orders: dict[int, dict[str, int]]) -> list[float]:
    """Return where an error is among the others; a missing key comes behind all that are there."""
    made: list[float] = []
    for part in error.path:
        if isinstance(document, dict):
            if id(document) not in orders:
                orders[id(document)] = {key: at for at, key in enumerate(document)}
            made.append(orders[id(document)][str(part)])
        else:
            made.append(float(part))
        document = document[part]
    return [*made, math.inf] if error.validator in _OF_THE_WHOLE else made


_OF_THE_WHOLE: Final = ("required", "anyOf", "minProperties", "maxProperties")
_HARMLESS: Final = (*_OF_THE_WHOLE, "additionalProperties", "deprecated", "x-service-maximum")


def _said(
    keyword: str,
    error: ValidationError,
    dialect: Dialect,
    unset: Mapping[str, Any],
    full: Callable[[str], bool],
) -> Iterator[tuple[str, str]]:
    """Yield what an error is, as the code of its rule and a sentence."""
    rule: Any = error.schema
    wanted: Any = error.validator_value
    value: Any = error.instance
    match keyword:
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            named = " or ".join(_kind(kind, rule) for kind in kinds)
            yield "MD012", f"must be {named}, not {describe(value)}"
        case "additionalProperties":
            near = "" if full("MD010") else _near(str(error.path[-1]), rule, dialect)
            yield "MD010", f"is not a known key{near}"
        case "required":
            for key in wanted:
                if key not in value:
                    yield "MD011", f"has no '{key}'{_unset(key, unset, dialect)}, which is required"
        case "anyOf":
            key = wanted[0]["required"][0]
            good = rule["properties"][key]["examples"][0]
            said = f"has no '{key}'{_unset(key, unset, dialect)}, which is required"
            yield "MD011", f"{said}; {good} is a good value to start"
        case "enum":
            choices = "" if full("MD013") else _choices(value, wanted)
            yield "MD013", f"{quoted(value)} is not known, must be {choices}"
        case "x-service-maximum":
            limits = f"{rule['minimum']} to {wanted}"
            message = f"{shown(value)} is beyond the services' range {limits}; it is used anyway"
            yield "MD015", message
        case "deprecated":
            yield "MD016", "has no effect any more; remove it"
        case "minItems":
            yield "MD012", "is an empty list, must have at least one item"
        case _ if "x-rule" in rule:
            yield rule["x-rule"], _OF_RULES.get(rule["x-rule"], lambda _: "is not valid")(value)
        case "pattern":
            yield "MD013", f"{quoted(value)} does not match {wanted}"
        case _:
            yield "MD014", f"{shown(value)} is out of range, must be {_limits(value, rule)}"


def _unset(key: str, unset: Mapping[str, Any], dialect: Dialect) -> str:
    """Say of a key that is missing that it is there, with a value that means that it is not."""
    name = common_name(key, dialect)
    return f" ({json.dumps(unset[name])} means that it is not set)" if name in unset else ""


def _kind(kind: str, rule: Rule) -> str:
    items = rule.get("items", {}).get("type")
    if kind == "array":
        return f"a list of {items}s" if isinstance(items, str) else "a list"
    return f"an {kind}" if kind in ("object", "integer") else f"a {kind}"


def _framework(name: str) -> str:
    near = did_you_mean(name, ["tensorflow"], count=1)
    return (
        f"{quoted(name)} is not supported, must be 'tensorflow': Pellucid explains TensorFlow "
        f"models{near}"
    )


_OF_RULES: Final[Mapping[str, Callable[[Any], str]]] = {
    "MD021": _framework,
    "MD023": lambda outputs: (
        f"has {len(outputs)} outputs; exactly one can be explained"
        if outputs
        else "has no output; add the one to explain"
    ),
    "MD024": lambda _: "has no input; add at least one feature",
    "MD025": lambda text: f"{quoted(text)} is not a semantic version such as '1.2.3'",
}


def shown(value: float) -> str:
    """Return a number as it is written, or in few digits where it is long."""
    return str(value) if abs(value) < 1e15 else float_text(value)


def _limits(value: float, rule: Rule) -> str:
    above, below = rule.get("exclusiveMinimum"), rule.get("exclusiveMaximum")
    low, high = rule.get("minimum"), rule.get("maximum", rule.get("x-service-maximum"))
    if above is not None:
        return f"more than {above}"
    if "not" in rule:
        return "1 or more, or -1 for all"
    if below is not None and value >= below:
        return f"less than {float_text(below)}"
    return f"{low} or more" if high is None else f"{low} to {high}"


def _choices(value: str, known: list[str]) -> str:
    current = [it for it in known if not it.endswith("_UNSPECIFIED")]
    return _listed(current) + did_you_mean(value, current, count=1)


def _near(key: str, rule: Rule, dialect: Dialect) -> str:
    known: Mapping[str, Any] = rule.get("properties", {})
    own = {common_name(name, dialect): name for name in known}
    # The other dialect's word for the same thing is the likeliest mistake.
    other = VERTEX_NAMES.get(snake(key), snake(key))
    if other in own:
        return f"; did you mean '{own[other]}'?"
    current = [name for name, it in known.items() if not it.get("deprecated")]
    return did_you_mean(key, current, count=1) or f"; known keys are {_listed(current, 'and')}"


def _listed(words: list[str], last: str = "or") -> str:
    named = [f"'{word}'" for word in words]
    return f" {last} ".join(filter(None, (", ".join(named[:-1]), named[-1])))
