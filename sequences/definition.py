"""What a sequence says and when, as values: the immutable content of a version. Plain Python; also the export format.

A definition is read from JSON with `Definition.read`, which says everything that is wrong at once, in words for the
person who wrote it.
"""

from dataclasses import asdict, dataclass, field
from datetime import time
from enum import StrEnum
from typing import Any

from whatsapp import cards, interactive, phones, places

MOST_STEPS = 30
LONGEST_DAYS = 365
LONGEST_CAPTION = 1024


class Unit(StrEnum):
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


class Closed(StrEnum):
    """What happens when nothing can be sent: a person does it, or the step is left out, said so."""

    PERSON = "person"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Delay:
    """How long after the step before: a span, days at a time of day, or the next such weekday (0 is Monday) at a time."""

    count: int = 0
    unit: Unit = Unit.MINUTES
    weekday: int | None = None
    at: str = ""  # "10:00", in the contact's zone


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template; `variables` are what its variables become, with `{name}`-like blanks of the contact."""

    name: str
    language: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """A file that is kept; the text of its variant is its caption."""

    id: str
    kind: str  # WhatsApp's word: image, video, audio, document
    name: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the map: `at` is what `whatsapp.places.read` reads, coordinates or the address of a map."""

    at: str
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """Somebody to get in touch with; the phone with its country code."""

    name: str
    phone: str


@dataclass(frozen=True, slots=True)
class Form:
    """A Flow, by our id, and the words on the button that opens it; the text of its variant stands above."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One wording of a step; of several, each contact gets one by chance, always the same.

    A place or a card goes alone, without a text: WhatsApp knows no caption for them.
    """

    text: str = ""
    template: Template | None = None
    file: File | None = None
    options: tuple[str, ...] = ()  # to answer by a tap, as `whatsapp.interactive.offering` reads them
    label: str = ""  # what opens them where they are a list
    place: Place | None = None
    card: Card | None = None
    form: Form | None = None
    product: str = ""  # the catalogue's own id; its text may stay empty

    @property
    def says_something(self) -> bool:
        """Whether something goes while the window is open."""
        return bool(self.text or self.file or self.place or self.card or self.product)

    @property
    def in_short(self) -> str:
        """By what a person recognises it."""
        place = self.place and (self.place.name or self.place.address or self.place.at)
        return self.text or place or (self.card.name if self.card else "") or self.product


@dataclass(frozen=True, slots=True)
class Step:
    """`text` and `file` go while the window is open, `template` when it is closed, a person does it when there is neither."""

    title: str
    delay: Delay = Delay()
    variants: tuple[Variant, ...] = ()
    is_manual: bool = False
    closed: Closed = Closed.PERSON
    priority: int = 1  # of the manual task: 0 high, 1 middle, 2 low


@dataclass(frozen=True, slots=True)
class Definition:
    """Steps in order; `quiet` is when nobody is written to (local times, may pass midnight); `weekdays` when one may."""

    steps: tuple[Step, ...]
    quiet_from: str = "21:00"
    quiet_to: str = "08:00"
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    stop_on_reply: bool = False  # otherwise it pauses
    stop_on_close: bool = True
    stop_label: str = ""
    stop_on_opt_out: bool = False  # otherwise only what is marketing is left to a person
    goal_label: str = ""  # the goal is reached when the contact has this label …
    goal_attribute: str = ""  # … or something in this attribute
    max_cost: str = ""  # of one contact, in the tenant's currency; empty: no limit

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, value: Any) -> "Definition":
        """Raises Incomplete with all that is wrong."""
        reader = _Reader()
        definition = reader.definition(value)
        if reader.faults:
            raise Incomplete(reader.faults)
        return definition


class Incomplete(ValueError):
    """What is missing or wrong: pairs of the step's number (0: the whole) and a key that the page has words for."""

    def __init__(self, faults: list[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"step {step}: {fault}" for step, fault in faults))
        self.faults = faults


class _Reader:
    def __init__(self) -> None:
        self.faults: list[tuple[int, str]] = []
        self._step = 0

    def definition(self, value: Any) -> Definition:
        value = value if isinstance(value, dict) else {}
        steps = value.get("steps")
        steps = steps if isinstance(steps, list | tuple) else []
        if not steps:
            self._fault("no_steps")
        if len(steps) > MOST_STEPS:
            self._fault("too_many_steps")
        read = []
        for self._step, step in enumerate(steps[:MOST_STEPS], start=1):
            read.append(self._read_step(step if isinstance(step, dict) else {}))
        self._step = 0
        weekdays = value.get("weekdays", list(range(7)))
        days = tuple(sorted({day for day in weekdays if day in range(7)})) if isinstance(weekdays, list | tuple) else ()
        if not days:
            self._fault("no_weekday")
        quiet = self._time(value.get("quiet_from", "21:00")), self._time(value.get("quiet_to", "08:00"))
        max_cost = str(value.get("max_cost") or "")
        if max_cost and not max_cost.replace(".", "", 1).isdigit():
            self._fault("cost")
        return Definition(
            steps=tuple(read),
            quiet_from=quiet[0],
            quiet_to=quiet[1],
            weekdays=days,
            stop_on_reply=bool(value.get("stop_on_reply", False)),
            stop_on_close=bool(value.get("stop_on_close", True)),
            stop_label=str(value.get("stop_label") or "")[:60],
            stop_on_opt_out=bool(value.get("stop_on_opt_out", False)),
            goal_label=str(value.get("goal_label") or "")[:60],
            goal_attribute=str(value.get("goal_attribute") or "")[:60],
            max_cost=max_cost[:12],
        )

    def _read_step(self, value: dict[str, Any]) -> Step:
        variants = value.get("variants")
        read = tuple(
            self._variant(each)
            for each in (variants if isinstance(variants, list | tuple) else [])
            if isinstance(each, dict)
        )
        is_manual = bool(value.get("is_manual", False))
        if not is_manual and not any(each.says_something or each.template for each in read):
            self._fault("says_nothing")
        if is_manual and not any(each.text for each in read):
            self._fault("no_instruction")
        closed = value.get("closed", Closed.PERSON)
        return Step(
            title=str(value.get("title") or "")[:80],
            delay=self._delay(value.get("delay") if isinstance(value.get("delay"), dict) else {}),
            variants=read,
            is_manual=is_manual,
            closed=Closed(closed) if closed in set(Closed) else Closed.PERSON,
            priority=value.get("priority") if value.get("priority") in (0, 1, 2) else 1,  # type: ignore[arg-type]
        )

    def _delay(self, value: Any) -> Delay:
        count, unit = value.get("count", 0), value.get("unit", Unit.MINUTES)
        weekday, at = value.get("weekday"), value.get("at") or ""
        if unit not in set(Unit):
            self._fault("delay")
            unit = Unit.MINUTES
        most = {"minutes": LONGEST_DAYS * 1440, "hours": LONGEST_DAYS * 24, "days": LONGEST_DAYS}[unit]
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= most:
            self._fault("delay")
            count = 0
        if weekday is not None and weekday not in range(7):
            self._fault("delay")
            weekday = None
        if at and not _is_time(at):
            self._fault("time")
            at = ""
        if weekday is not None and not at:
            self._fault("time")
            at = "10:00"
        return Delay(count=count, unit=Unit(unit), weekday=weekday, at=at)

    def _variant(self, value: dict[str, Any]) -> Variant:
        text = str(value.get("text") or "").strip()
        if len(text) > 4096:
            self._fault("text_too_long")
        file = self._file(value.get("file"))
        if file and file.kind == "audio" and text:
            self._fault("audio_text")
        if file and len(text) > LONGEST_CAPTION:
            self._fault("caption_too_long")
        options, label = self._options(value.get("options")), str(value.get("label") or "")
        if options and (file or not text):
            self._fault("options_file" if file else "options_alone")
        elif options and (fault := interactive.fault(interactive.offering(text, options, label=label))):
            self._fault(fault)
        place, card, form = (
            self._place(value.get("place")),
            self._card(value.get("card")),
            self._form(value.get("form")),
        )
        product = str(value.get("product") or "").strip()[: interactive.MOST_PRODUCT]
        if product and (file or options or form or place or card):
            self._fault("goes_alone")
        if form and (file or options or not text):
            self._fault("form_with" if text else "form_alone")
        if sum(map(bool, (text or file, place, card))) > 1:
            self._fault("goes_alone")
        return Variant(
            text=text[:4096],
            file=file,
            options=options,
            label=label,
            place=place,
            card=card,
            form=form,
            product=product,
            template=self._template(value.get("template")),
        )

    def _template(self, value: Any) -> Template | None:
        if not isinstance(value, dict) or not value.get("name"):
            return None
        variables = value.get("variables")
        return Template(
            name=str(value["name"])[:512],
            language=str(value.get("language") or "")[:10],
            variables={str(name): str(said)[:1024] for name, said in variables.items()}
            if isinstance(variables, dict)
            else {},
        )

    def _place(self, value: Any) -> Place | None:
        if not isinstance(value, dict) or not any(value.get(key) for key in ("at", "name", "address")):
            return None
        most = places.MOST_NAME
        place = Place(*(str(value.get(key) or "").strip() for key in ("at", "name", "address")))
        if places.read(place.at) is None:
            self._fault(places.NO_POINT)
        if max(len(place.at), len(place.name), len(place.address)) > most:
            self._fault(places.NAME_TOO_LONG)
        return Place(place.at[:most], place.name[:most], place.address[:most])

    def _card(self, value: Any) -> Card | None:
        if not isinstance(value, dict) or not any(value.get(key) for key in ("name", "phone")):
            return None
        name, phone = (str(value.get(key) or "").strip()[:200] for key in ("name", "phone"))
        if not name:
            self._fault(cards.NO_NAME)
        try:
            phones.normalise(phone)
        except phones.NotAPhone:
            self._fault("card_unreadable_phone")
        return Card(name, phone)

    def _form(self, value: Any) -> Form | None:
        if not isinstance(value, dict) or not value.get("id"):
            return None
        label = str(value.get("label") or "").strip()
        if not 1 <= len(label) <= interactive.MOST_FLOW_LABEL:
            self._fault(interactive.WRONG_FLOW_LABEL)
        return Form(str(value["id"])[:36], label[: interactive.MOST_FLOW_LABEL])

    def _options(self, value: Any) -> tuple[str, ...]:
        lines = [str(line).strip()[:2048] for line in value[:20]] if isinstance(value, list | tuple) else []
        return tuple(filter(None, lines))

    def _file(self, value: Any) -> File | None:
        if not isinstance(value, dict) or not value.get("id"):
            return None
        return File(
            str(value["id"])[:36], str(value.get("kind") or "document")[:10], str(value.get("name") or "")[:200]
        )

    def _time(self, value: Any) -> str:
        if not _is_time(value):
            self._fault("time")
            return "00:00"
        return str(value)

    def _fault(self, fault: str) -> None:
        self.faults.append((self._step, fault))


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 5 and time.fromisoformat(value) is not None
    except ValueError:
        return False
