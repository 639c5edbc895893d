"""A Flow's JSON, read for what we need of it: screens in order, what each asks, and how the answers are called.

Plain Python. Whatever is not understood is left out, never an error: Meta judges the file, and its language grows.
Source: Flow JSON, versions 5 to 7.3 ("Flow JSON", "Components").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

INPUTS = frozenset(
    {"TextInput", "TextArea", "Dropdown", "RadioButtonsGroup", "CheckboxGroup", "ChipsSelector", "DatePicker",
     "CalendarPicker", "OptIn"}
)  # fmt: skip
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is asked. `options` are the titles of what can be chosen, by id."""

    name: str
    label: str
    kind: str
    input_type: str
    options: dict[str, str]
    is_required: bool = False

    def shown(self, value: Any) -> str:
        """An answer in the words of the form."""
        if isinstance(value, bool):
            return "✓" if value else "–"
        if isinstance(value, list):
            return ", ".join(self.shown(each) for each in value)
        return self.options.get(str(value), str(value)) if isinstance(value, str | int | float) else ""


@dataclass(frozen=True, slots=True)
class Screen:
    """`takes` are the names of the data that the screen declares: what may be handed to it."""

    id: str
    title: str
    is_terminal: bool
    fields: tuple[Field, ...]
    takes: frozenset[str]


@dataclass(frozen=True)
class Form:
    """The whole Flow. `uses_endpoint`: phones ask our endpoint for its screens."""

    screens: tuple[Screen, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    uses_endpoint: bool = False

    @classmethod
    def of(cls, definition: Any) -> "Form":
        if not isinstance(definition, dict):
            return cls()
        screens = tuple(screen for each in _objects(definition.get("screens")) if (screen := _screen(each)))
        model = definition.get("routing_model")
        routes = [
            (origin, target)
            for origin, targets in (model if isinstance(model, dict) else {}).items()
            for target in (targets if isinstance(targets, list) else ())
            if isinstance(target, str)
        ]
        return cls(screens, tuple(routes), bool(definition.get("data_api_version")))

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Everything that is asked, by name; the first mention counts."""
        found: dict[str, Field] = {}
        for screen in self.screens:
            for field in screen.fields:
                found.setdefault(field.name, field)
        return found

    @property
    def first(self) -> Screen | None:
        """Where it begins: the screen that no other leads to."""
        targets = {target for _origin, target in self.routes}
        return next((screen for screen in self.screens if screen.id not in targets), None) or next(
            iter(self.screens), None
        )

    def screen(self, id: str) -> Screen | None:
        return next((screen for screen in self.screens if screen.id == id), None)

    def after(self, id: str) -> Screen | None:
        """The screen that this one leads to; None at the end."""
        return next((self.screen(target) for origin, target in self.routes if origin == id), None)

    def before(self, id: str) -> Screen | None:
        return next((self.screen(origin) for origin, target in self.routes if target == id), None)

    def answers(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What was answered, in the order of the form and in its words; then what the form does not name."""
        ordered = [name for name in self.fields if name in values]
        ordered += [name for name in values if name not in self.fields and name != "flow_token"]
        return [(self._label(name), self._shown(name, values[name])) for name in ordered]

    def _label(self, name: str) -> str:
        field = self.fields.get(name)
        return field.label if field else _as_words(name)

    def _shown(self, name: str, value: Any) -> str:
        field = self.fields.get(name) or Field(name, name, "", "", {})
        return field.shown(value)


def _screen(given: dict[str, Any]) -> Screen | None:
    id = given.get("id")
    if not isinstance(id, str) or not id:
        return None
    data = given.get("data")
    return Screen(
        id=id,
        title=_text(given.get("title")),
        is_terminal=given.get("terminal") is True,
        fields=tuple(_fields(given.get("layout"))),
        takes=frozenset(data) if isinstance(data, dict) else frozenset(),
    )


def _fields(part: Any, depth: int = 0) -> Iterator[Field]:
    """Every input inside, however deep: forms, conditions and cases hold more of them."""
    if depth > _DEEPEST:
        return
    if isinstance(part, list):
        for each in part:
            yield from _fields(each, depth + 1)
    elif isinstance(part, dict):
        name = part.get("name")
        if part.get("type") in INPUTS and isinstance(name, str) and name:
            yield Field(
                name=name,
                label=_text(part.get("label")) or _as_words(name),
                kind=str(part["type"]),
                input_type=_text(part.get("input-type")),
                options={
                    str(option["id"]): _text(option.get("title")) or str(option["id"])
                    for option in _objects(part.get("data-source"))
                    if isinstance(option.get("id"), str | int)
                },
                is_required=part.get("required") is True,
            )
        else:
            for value in part.values():
                if isinstance(value, dict | list):
                    yield from _fields(value, depth + 1)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """A text that stands in the file; what is filled in later (`${data.label}`) is none."""
    return value if isinstance(value, str) and "${" not in value else ""


def _as_words(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()
