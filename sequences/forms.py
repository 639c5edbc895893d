"""The editor's form as a definition and back: every field of a step is `s<number>-<name>`, so that it needs no JavaScript."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.media import RefusedFile
from crm.template_words import why_not
from sequences import audience, files
from sequences.audience import NotAList
from sequences.definition import Definition, Step
from sequences.models import Sequence, Trigger
from sequences.words import FAULTS, list_fault_words
from whatsapp.models import Number
from whatsapp.models import Template as StoredTemplate

LARGEST_LIST = 8 * 1024 * 1024
WITH_VALUE = (Trigger.LABEL, Trigger.NO_REPLY, Trigger.AD, Trigger.BUTTON)


class SequenceForm(forms.ModelForm):
    """What a sequence is called and how it begins."""

    class Meta:
        model = Sequence
        fields = ["name", "numbers", "trigger", "trigger_value"]
        widgets = {"numbers": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["numbers"].queryset = Number.objects.order_by("alias")  # type: ignore[attr-defined]
        self.fields["trigger_value"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        trigger, value = cleaned.get("trigger"), str(cleaned.get("trigger_value") or "").strip()
        if trigger == Trigger.LABEL and not value:
            self.add_error("trigger_value", _("Write the label."))
        if trigger == Trigger.BUTTON and not value:
            self.add_error("trigger_value", _("Write what stands on the button."))
        if trigger == Trigger.NO_REPLY and not (value.isdigit() and 1 <= int(value) <= 720):
            self.add_error("trigger_value", _("Write how many hours, 1 to 720."))
        cleaned["trigger_value"] = value if trigger in WITH_VALUE else ""
        return cleaned


class CrowdForm(forms.Form):
    """Whom a sequence begins with at once: a label, how lately they wrote, or phones, also those of a CSV file."""

    label = forms.CharField(max_length=60, required=False)
    days = forms.IntegerField(min_value=1, max_value=3650, required=False)
    written = forms.CharField(max_length=2_000_000, required=False)
    file = forms.FileField(required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.pop("file", None)
        if file and file.size > LARGEST_LIST:
            raise forms.ValidationError(_("The file is larger than 8 MB. Send it in parts."))
        if file:
            try:
                phones = "\n".join(row[1] for row in audience.read(file.read()).rows)
            except NotAList as refusal:
                raise forms.ValidationError(list_fault_words(refusal.reason)) from None
            cleaned["written"] = f"{cleaned.get('written', '')}\n{phones}".strip()
        if not self.errors and not any(cleaned.get(name) for name in ("label", "days", "written")):
            raise forms.ValidationError(_("Say with whom: a label, how lately they wrote, or phones."))
        return cleaned


def read(data: QueryDict) -> dict[str, Any]:
    """The definition, as JSON, that stands in the editor's form: complete or not."""
    return {
        "steps": [_step(data, number) for number in range(_count(data))],
        "quiet_from": data.get("quiet_from", "21:00").strip(),
        "quiet_to": data.get("quiet_to", "08:00").strip(),
        "weekdays": [int(day) for day in data.getlist("weekdays") if day in "0123456"],
        "stop_on_reply": data.get("on_reply") == "stop",
        "stop_on_close": "stop_on_close" in data,
        "stop_label": data.get("stop_label", "").strip(),
        "stop_on_opt_out": "stop_on_opt_out" in data,
        "goal_label": data.get("goal_label", "").strip(),
        "goal_attribute": data.get("goal_attribute", "").strip(),
        "max_cost": data.get("max_cost", "").strip().replace(",", "."),
    }


def with_files(
    definition: dict[str, Any], uploads: Mapping[str, UploadedFile], *, tenant_id: UUID, numbers: Iterable[Number]
) -> list[tuple[int, str]]:
    """Keep what was chosen, and name in each step the file it has. Returns why some were refused, as (step, sentence)."""
    refused = []
    for place, step in enumerate(definition["steps"]):
        if upload := uploads.get(f"s{place}-file"):
            try:
                kept = files.keep(upload, tenant_id=tenant_id, numbers=numbers)
                step["variants"] = [variant | {"file": {"id": str(kept.pk)}} for variant in step["variants"]]
            except RefusedFile as error:
                refused.append((place + 1, str(error)))
    name_files(definition)
    return refused


def name_files(definition: dict[str, Any]) -> None:
    """What stands in a definition about files is taken from our own; a file of somebody else is none."""
    variants = [
        variant
        for step in definition["steps"]
        if isinstance(step, dict)
        for variant in step.get("variants") or ()
        if isinstance(variant, dict) and isinstance(variant.get("file"), dict)
    ]
    kept = files.known(variant["file"].get("id") for variant in variants)
    for variant in variants:
        file = kept.get(str(variant["file"].get("id")))
        variant["file"] = files.as_json(file) if file else None


def _count(data: QueryDict) -> int:
    count = data.get("steps", "0")
    return min(int(count), 40) if count.isdigit() else 0


def _step(data: QueryDict, number: int) -> dict[str, Any]:
    def said(name: str) -> str:
        return data.get(f"s{number}-{name}", "").strip()

    unit, count = said("unit"), said("count")
    delay: dict[str, Any] = {
        "count": int(count) if count.isdigit() else (0 if not count else -1),
        "unit": unit or "minutes",
    }
    if unit == "weekday":
        delay = {"weekday": int(said("weekday") or 0), "at": said("at") or "10:00"}
    elif unit == "days":
        delay["at"] = said("at")
    name, _slash, language = said("template").partition("|")
    prefix = f"s{number}-var-"
    variables = {key.removeprefix(prefix): str(value).strip() for key, value in data.items() if key.startswith(prefix)}
    template = {"name": name, "language": language, "variables": variables} if name else None
    variants: list[dict[str, Any]] = [{"text": said("text"), "template": template}]
    if said("other"):
        variants.append({"text": said("other"), "template": template})
    if lines := said("options").splitlines():
        # In the language of who writes it, as the text is.
        variants = [variant | {"options": lines, "label": gettext("See options")} for variant in variants]
    if any(said(f"place-{key}") for key in ("at", "name", "address")):
        variants[0]["place"] = {key: said(f"place-{key}") for key in ("at", "name", "address")}
    if said("card-name") or said("card-phone"):
        variants[0]["card"] = {"name": said("card-name"), "phone": said("card-phone")}
    if said("form"):
        form = {"id": said("form"), "label": said("form-label") or gettext("Open the form")}
        variants = [variant | {"form": form} for variant in variants]
    if said("product"):
        variants = [variant | {"product": said("product")} for variant in variants]
    if said("file-id") and not said("file-off"):
        variants = [variant | {"file": {"id": said("file-id")}} for variant in variants]
    return {
        "title": said("title"),
        "delay": delay,
        "is_manual": said("kind") == "person",
        "variants": variants,
        "closed": said("closed") or "person",
        "priority": int(said("priority")) if said("priority") in ("0", "1", "2") else 1,
    }


def empty() -> dict[str, Any]:
    """A new sequence: one step that says nothing yet."""
    step = {"title": "", "delay": {"count": 1, "unit": "hours"}, "variants": [{"text": "", "template": None}]}
    definition = Definition(steps=(Step(""),), stop_on_opt_out=True).as_json()
    return definition | {"steps": [step]}


def arranged(definition: dict[str, Any], order: str) -> dict[str, Any]:
    """The steps after a button of the editor: `add`, `remove:2`, `up:2`, `down:2`, `copy:2`, `move:2:0` (from 0)."""
    steps = list(definition["steps"])
    act, _colon, place = order.partition(":")
    place, _colon, goal = place.partition(":")
    at = int(place) if place.isdigit() else -1
    if act == "add":
        steps.append({"title": "", "delay": {"count": 1, "unit": "days", "at": "10:00"}, "variants": [{"text": ""}]})
    elif 0 <= at < len(steps):
        if act == "remove":
            steps.pop(at)
        elif act == "copy":
            steps.insert(at + 1, steps[at])
        elif act == "up" and at:
            steps[at - 1], steps[at] = steps[at], steps[at - 1]
        elif act == "down" and at + 1 < len(steps):
            steps[at + 1], steps[at] = steps[at], steps[at + 1]
        elif act == "move" and goal.isdigit():
            steps.insert(int(goal), steps.pop(at))
    return definition | {"steps": steps}


def shown_steps(definition: dict[str, Any], faults: list[tuple[int, str]]) -> list[dict[str, Any]]:
    """What the editor shows of each step, with what is wrong with it and the variables of its template."""
    known = {(each.name, each.language): each for each in StoredTemplate.objects.all()}
    shown = []
    for number, step in enumerate(definition["steps"]):
        variants = list(step.get("variants") or [{}])
        first, other = variants[0] or {}, (variants[1] if len(variants) > 1 else {}) or {}
        template = first.get("template") or {}
        stored = known.get((template.get("name", ""), template.get("language", "")))
        given = template.get("variables") or {}
        names = stored.variables if stored else list(given)
        delay = step.get("delay") or {}
        shown.append(
            {
                "number": number,
                "title": step.get("title", ""),
                "is_manual": step.get("is_manual", False),
                "delay": delay
                | {"unit": "weekday" if delay.get("weekday") is not None else delay.get("unit", "minutes")},
                "text": first.get("text", ""),
                "other": other.get("text", ""),
                "options": [line.partition("|")[0] for line in first.get("options") or ()],
                "options_text": "\n".join(first.get("options") or ()),
                "file": first.get("file"),
                "place": first.get("place") or {},
                "card": first.get("card") or {},
                "form": first.get("form") or {},
                "product": first.get("product") or "",
                "template": template,
                "chosen": f"{template['name']}|{template['language']}" if template.get("name") else "",
                "stored": stored,
                "why_not": why_not(stored) if stored else "",
                "variables": [(name, given.get(name, "{first_name}")) for name in names],
                "closed": step.get("closed", "person"),
                "priority": step.get("priority", 1),
                "faults": [FAULTS.get(fault, fault) for place, fault in faults if place == number + 1],
            }
        )
    return shown
