"""What an administrator hands in: a new Flow, or another file for a draft. Whether it is a good Flow, WhatsApp judges."""

import json
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from crm.flows import builtin
from whatsapp.models import Flow, Number

LARGEST_FILE = 10 * 1024 * 1024  # Meta's limit ("Flows API", assets)
CATEGORIES = [
    ("SIGN_UP", _("Sign up")),
    ("SIGN_IN", _("Sign in")),
    ("APPOINTMENT_BOOKING", _("Book an appointment")),
    ("LEAD_GENERATION", _("Find customers")),
    ("CONTACT_US", _("Contact us")),
    ("CUSTOMER_SUPPORT", _("Customer support")),
    ("SURVEY", _("Survey")),
    ("OTHER", _("Something else")),
]


class FlowFile(forms.FileField):
    """A Flow's JSON; becomes its text, as it was written."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages={"required": _("Choose a file."), "empty": _("This file is empty.")}, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> str:
        file: UploadedFile | None = super().clean(data, initial)
        if not file:
            return ""
        if (file.size or 0) > LARGEST_FILE:
            raise forms.ValidationError(_("WhatsApp takes files of at most 10 MB."))
        try:
            source = file.read().decode("utf-8-sig")
            definition = json.loads(source)
        except UnicodeDecodeError:
            raise forms.ValidationError(_("This file is not text in UTF-8.")) from None
        except json.JSONDecodeError as error:
            said = _("This is not JSON: line %(line)d, column %(column)d: %(reason)s.")
            raise forms.ValidationError(
                said, params={"line": error.lineno, "column": error.colno, "reason": error.msg}
            ) from None
        except RecursionError:
            raise forms.ValidationError(_("This file is nested too deeply.")) from None
        if not isinstance(definition, dict) or "screens" not in definition or "\x00" in source:
            raise forms.ValidationError(_("This is JSON, but no Flow: it has no “screens”."))
        return source


class FlowForm(forms.Form):
    """A new Flow: the example that comes with Ventana, or a file."""

    EXAMPLE, FILE = "example", "file"

    name = forms.CharField(max_length=200, error_messages={"required": _("Give it a name.")})
    waba_id = forms.ChoiceField(error_messages={"required": _("Choose a business account.")})
    category = forms.ChoiceField(choices=CATEGORIES)
    begin = forms.ChoiceField(choices=[(EXAMPLE, EXAMPLE), (FILE, FILE)], initial=EXAMPLE)
    file = FlowFile(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["waba_id"].choices = accounts()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("begin") == self.FILE and not data.get("file") and "file" not in self.errors:
            self.add_error("file", _("Choose a file."))
        taken = Flow.objects.filter(waba_id=data.get("waba_id", ""), name=data.get("name", ""))
        if data.get("name") and taken.exists():
            self.add_error("name", _("This business account has a Flow of this name. Choose another one."))
        return data

    def fields_of_flow(self) -> dict[str, Any]:
        """What the new row holds."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "waba_id": data["waba_id"],
            "categories": [data["category"]],
            "source": data["file"] if data["begin"] == self.FILE else builtin.profile(),
        }


class FlowFileForm(forms.Form):
    file = FlowFile()


def accounts() -> list[tuple[str, str]]:
    """The business accounts of the company's numbers, by their numbers' names."""
    found: dict[str, list[str]] = {}
    for number in Number.objects.filter(is_active=True, provider="cloud").exclude(waba_id="").order_by("alias"):
        found.setdefault(number.waba_id, []).append(str(number))
    return [(waba_id, ", ".join(names)) for waba_id, names in found.items()]
