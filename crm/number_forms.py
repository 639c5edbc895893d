"""What people write about a number: its token and ids, its settings, and what customers see of the company."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.models import Queue, Tenant
from whatsapp import phones
from whatsapp.capabilities import CAPABILITIES
from whatsapp.models import Endpoint, Number
from whatsapp.providers.base import BusinessProfile

MOST_TEST_PHONES = 50
# Meta's own words (Business profiles, "vertical").
VERTICALS = [
    ("", "–"), ("OTHER", _("Other")), ("AUTO", _("Cars")), ("BEAUTY", _("Beauty")), ("APPAREL", _("Clothing")),
    ("EDU", _("Education")), ("ENTERTAIN", _("Entertainment")), ("EVENT_PLAN", _("Events")), ("FINANCE", _("Finance")),
    ("GROCERY", _("Groceries")), ("GOVT", _("Government")), ("HOTEL", _("Hotel")), ("HEALTH", _("Health")),
    ("NONPROFIT", _("Non-profit")), ("PROF_SERVICES", _("Professional services")), ("RETAIL", _("Shopping")),
    ("TRAVEL", _("Travel")), ("RESTAURANT", _("Restaurant")),
]  # fmt: skip


class PastedToken(forms.CharField):
    """A secret that is pasted and never shown again; line breaks and spaces are slips of the clipboard.

    It comes back, as dots, in the form that has something else to mend: nobody pastes it twice.
    """

    def __init__(self, **options: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}, render_value=True)
        super().__init__(max_length=2000, widget=widget, **options)

    def to_python(self, value: Any) -> str:
        return "".join(str(super().to_python(value) or "").split())


class MetaId(forms.CharField):
    """One of Meta's ids: digits."""

    def __init__(self, **options: Any) -> None:
        plain: dict[str, Any] = {"max_length": 24, "widget": forms.TextInput(attrs={"inputmode": "numeric"})}
        super().__init__(**plain | options)

    def clean(self, value: Any) -> str:
        written = "".join(str(super().clean(value) or "").split())
        if written and not re.fullmatch(r"[0-9]{5,20}", written):
            raise forms.ValidationError(_("Meta's ids consist of digits; copy it from WhatsApp manager."))
        return written


class ConnectForm(forms.Form):
    """The first step: whose numbers, and the token that may see them."""

    waba_id = MetaId(label=_("WhatsApp business account id"), help_text=_("WhatsApp manager › Account tools shows it."))
    phone_number_id = MetaId(
        label=_("Phone number id"),
        required=False,
        help_text=_("Only where the token may not list the account's numbers; empty shows them all."),
    )
    token = PastedToken(
        label=_("Access token"),
        help_text=_("Of a system user with both WhatsApp permissions. It is sealed, and never shown again."),
    )


class ChooseForm(forms.Form):
    """The second step: which of the numbers, what we call it, and who answers."""

    waba_id = MetaId(widget=forms.HiddenInput)
    sealed = forms.CharField(max_length=4000, widget=forms.HiddenInput)
    phone_number_id = MetaId(label=_("Phone number id"))
    alias = forms.CharField(label=_("What you call it"), max_length=80)
    queue = forms.ModelChoiceField(
        Queue.objects.none(), label=_("Who answers"), required=False, empty_label=_("Nobody yet")
    )

    endpoint = forms.ModelChoiceField(
        Endpoint.objects.none(),
        label=_("Whose Meta app"),
        required=False,
        empty_label=_("the platform's"),
        help_text=_("A company with an app of its own has a webhook address of its own."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queue"].queryset = Queue.objects.filter(is_triage=False).order_by("name")  # type: ignore[attr-defined]
        endpoints = Endpoint.objects.filter(is_active=True).order_by("name")
        self.fields["endpoint"].queryset = endpoints  # type: ignore[attr-defined]
        self.has_endpoints = endpoints.exists()


class QueueForm(forms.Form):
    queue = forms.ModelChoiceField(Queue.objects.none(), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queue"].queryset = Queue.objects.filter(is_triage=False)  # type: ignore[attr-defined]


class TokenForm(forms.Form):
    token = PastedToken(label=_("New access token"), required=False, help_text=_("Empty: the one it has stays."))
    waba_id = MetaId(label=_("WhatsApp business account id"), required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("token") and not cleaned.get("waba_id"):
            raise forms.ValidationError(_("Paste the new token."))
        return cleaned


class PinForm(forms.Form):
    pin = forms.RegexField(r"^[0-9]{6}$", error_messages={"invalid": _("A PIN has six digits.")})


class NumberForm(forms.ModelForm):
    """What the company decides about its number by itself."""

    phones = forms.CharField(
        label=_("Test phones"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "+51 900 555 014"}),
        help_text=_("One a line. In test mode it writes to nobody else, whoever sends."),
    )

    class Meta:
        model = Number
        fields = ["alias", "catalog_id", "is_active", "is_test"]

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant
        self.fields["alias"].label = _("What you call it")
        self.fields["catalog_id"] = MetaId(
            label=_("Catalogue id"),
            required=False,
            help_text=_("Commerce manager shows it. With one, products of that catalogue can be sent from here."),
        )
        if not CAPABILITIES[self.instance.provider].interactive:
            del self.fields["catalog_id"]
        self.fields["is_active"].label = _("In use")
        self.fields["is_active"].help_text = _("Switched off it sends nothing; what arrives is still kept.")
        self.fields["is_test"].label = _("Test mode")
        if not self.is_bound:
            self.initial["phones"] = "\n".join(phones.display(phone) for phone in self.instance.test_phones)

    def clean_phones(self) -> list[str]:
        written = [line.strip() for line in self.cleaned_data["phones"].replace(",", "\n").splitlines() if line.strip()]
        if len(written) > MOST_TEST_PHONES:
            raise forms.ValidationError(_("At most 50 phones; try it with fewer people."))
        found = []
        for line in written:
            try:
                found.append(phones.canonical(phones.normalise(line, self.tenant.default_country)))
            except phones.NotAPhone:
                raise forms.ValidationError(
                    gettext("“%(phone)s” is no phone number. Write it with its country, like +51 900 555 014.")
                    % {"phone": line[:40]}
                ) from None
        return list(dict.fromkeys(found))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("is_test") and not self.errors and not cleaned.get("phones"):
            self.add_error("phones", _("Write at least one phone, or it could send to nobody."))
        return cleaned


class ProfileForm(forms.Form):
    """What customers see of the company; lengths are Meta's."""

    about = forms.CharField(label=_("About"), max_length=139, required=False)
    description = forms.CharField(
        label=_("Description"), max_length=512, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    address = forms.CharField(label=_("Address"), max_length=256, required=False)
    email = forms.EmailField(label=_("E-mail"), max_length=128, required=False)
    website = forms.URLField(label=_("Website"), max_length=256, required=False, assume_scheme="https")
    other_website = forms.URLField(label=_("Another website"), max_length=256, required=False, assume_scheme="https")
    vertical = forms.ChoiceField(label=_("Trade"), choices=VERTICALS, required=False)

    @staticmethod
    def initial_of(profile: BusinessProfile) -> dict[str, Any]:
        first, second, *_rest = (*profile.websites, "", "")
        known = {value for value, _label in VERTICALS}
        return {
            "about": profile.about, "description": profile.description, "address": profile.address,
            "email": profile.email, "website": first, "other_website": second,
            "vertical": profile.vertical if profile.vertical in known else "",
        }  # fmt: skip

    def profile(self) -> BusinessProfile:
        said = self.cleaned_data
        websites = tuple(filter(None, (said["website"], said["other_website"])))
        plain = {name: said[name] for name in ("about", "description", "address", "email", "vertical")}
        return BusinessProfile(**plain, websites=websites)
