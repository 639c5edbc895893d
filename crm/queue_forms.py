"""What people write about a queue: its name and people, when it is open, and how it shares out what waits."""

import zoneinfo
from typing import Any
from uuid import UUID

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.handling_forms import colleagues
from tenants.hours import Hours, NotHours, Span, read_day
from tenants.models import Membership, Queue, Tenant

ALWAYS, HOURS = "always", "hours"


class DayField(forms.CharField):
    """The open parts of one weekday, as people write them; empty: closed."""

    def __init__(self, weekday: int) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off"})
        super().__init__(label=WEEKDAYS[weekday], max_length=80, required=False, widget=widget)
        self.weekday = weekday

    def clean(self, value: Any) -> list[Span]:
        try:
            return read_day(self.weekday, super().clean(value))
        except NotHours:
            raise forms.ValidationError(_("Write it like 9:00–13:00, 15:00–19:00.")) from None


class QueueForm(forms.ModelForm):
    """A queue with its week and its people. `days` are the fields of the week, `people` those who may answer."""

    when = forms.ChoiceField(
        choices=[(ALWAYS, _("Always open")), (HOURS, _("Open at these hours"))], widget=forms.RadioSelect
    )
    timezone = forms.ChoiceField(label=_("On the clock of"), required=False)
    members = forms.ModelMultipleChoiceField(Membership.objects.none(), required=False)
    turns = forms.ModelMultipleChoiceField(Membership.objects.none(), required=False)

    class Meta:
        model = Queue
        fields = ["name", "distribution", "most_each", "timezone"]
        labels = {"name": _("Name"), "distribution": _("How they are given out"), "most_each": _("At most, each")}

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant
        opening = self.instance.opening
        self.initial["when"] = HOURS if opening.spans else ALWAYS
        for weekday in range(7):
            self.fields[f"day_{weekday}"] = DayField(weekday)
            self.initial[f"day_{weekday}"] = opening.on(weekday)
        self.fields["members"].queryset = self.fields["turns"].queryset = colleagues()  # type: ignore[attr-defined]
        zones = [(name, name.replace("_", " ")) for name in sorted(zoneinfo.available_timezones()) if "/" in name]
        company = gettext("the company: %(zone)s") % {"zone": tenant.timezone.replace("_", " ")}
        self.fields["timezone"].choices = [("", company), *zones]  # type: ignore[attr-defined]
        seats = self.instance.queue_members.all() if not self.instance._state.adding else []
        self._seats: dict[UUID, bool] = {seat.membership_id: seat.takes_turns for seat in seats}

    @property
    def days(self) -> list[forms.BoundField]:
        return [self[f"day_{weekday}"] for weekday in range(7)]

    @property
    def people(self) -> list[dict[str, Any]]:
        """Each colleague, whether they answer here, and whether they are given conversations."""
        if self.is_bound:
            seated, turns = set(self.data.getlist("members")), set(self.data.getlist("turns"))  # type: ignore[attr-defined]
        else:
            seated = set(map(str, self._seats))
            # Whoever joins is given them, unless somebody says otherwise.
            turns = {str(each.pk) for each in colleagues() if self._seats.get(each.pk, True)}
        return [
            {"person": each, "is_in": str(each.pk) in seated, "takes": str(each.pk) in turns} for each in colleagues()
        ]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if Queue.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is one with this name. Choose another, or change that one."))
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("when") == HOURS and not self.errors and not self.spans():
            self.add_error("when", _("Write the hours of at least one day, or choose that it is always open."))
        return cleaned

    def spans(self) -> tuple[Span, ...]:
        return tuple(sorted(span for weekday in range(7) for span in self.cleaned_data[f"day_{weekday}"]))

    def opening(self) -> Hours:
        return Hours(self.spans()) if self.cleaned_data["when"] == HOURS else Hours()

    def seats(self) -> dict[UUID, bool]:
        """Who answers here, and whether they are given conversations."""
        turns = {each.pk for each in self.cleaned_data["turns"]}
        return {each.pk: each.pk in turns for each in self.cleaned_data["members"]}
