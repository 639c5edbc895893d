"""What is done with a conversation as a whole, and with those of a person: who has it, and until when it rests."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import Membership, Queue


class AssignmentForm(forms.Form):
    """Whose it becomes: a colleague's, or nobody's when left empty."""

    assignee = forms.ModelChoiceField(Membership.objects.none(), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = colleagues()  # type: ignore[attr-defined]


class TransferForm(forms.Form):
    queue = forms.ModelChoiceField(Queue.objects.none(), error_messages={"required": _("Choose a queue.")})
    assignee = forms.ModelChoiceField(Membership.objects.none(), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queue"].queryset = Queue.objects.all()  # type: ignore[attr-defined]
        self.fields["assignee"].queryset = colleagues()  # type: ignore[attr-defined]


class HandOverForm(forms.Form):
    """Where several go: to a queue, to a person, or to both. Without a queue each stays where it is."""

    queue = forms.ModelChoiceField(
        Queue.objects.none(), label=_("Queue"), required=False, empty_label=_("Each stays in its queue")
    )
    assignee = forms.ModelChoiceField(
        Membership.objects.none(), label=_("Person"), required=False, empty_label=_("Nobody yet: whoever takes it")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queue"].queryset = Queue.objects.all()  # type: ignore[attr-defined]
        self.fields["assignee"].queryset = colleagues()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("queue") and not cleaned.get("assignee"):
            raise forms.ValidationError(_("Choose a queue or a person."))
        return cleaned


class SnoozeForm(forms.Form):
    """Until when: one of the usual moments, or a moment of one's own."""

    preset = forms.ChoiceField(
        required=False,
        choices=[(name, name) for name in ("hour", "three_hours", "tomorrow", "monday")],
    )
    until = forms.DateTimeField(required=False, error_messages={"invalid": _("Write a date and a time.")})

    def moment(self, now: datetime) -> datetime:
        """The chosen moment, in the company's time; the usual mornings are at nine."""
        here = timezone.localtime(now)
        nine = here.replace(hour=9, minute=0, second=0, microsecond=0)
        usual = {
            "hour": now + timedelta(hours=1),
            "three_hours": now + timedelta(hours=3),
            "tomorrow": nine + timedelta(days=1),
            "monday": nine + timedelta(days=7 - here.weekday()),
        }
        return self.cleaned_data["until"] or usual[self.cleaned_data["preset"] or "tomorrow"]


def colleagues() -> Any:
    """The people of the company who may get a conversation, by name."""
    return Membership.objects.filter(is_active=True).select_related("user").order_by("user__name", "user__email")
