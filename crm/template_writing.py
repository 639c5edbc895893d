"""The template editor's form as a value: every part is a field of its own, so that it needs no JavaScript."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from crm.media import RefusedFile, storing
from crm.media.outgoing import type_of
from tenants.models import Tenant
from whatsapp.capabilities import CAPABILITIES
from whatsapp.models import Template, TemplateChange
from whatsapp.template_content import (
    AUTHENTICATION,
    BUTTONS,
    MEDIA_HEADERS,
    NONE,
    OTP,
    Button,
    Wording,
    normalised_language,
    of_components,
)
from whatsapp.template_rules import Fault, faults

_MOST_BUTTONS_READ = 20
_TYPES = {"IMAGE": "image/", "VIDEO": "video/", "DOCUMENT": "application/pdf"}


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the editor. `file` is the example of its header, kept: {stored_as, name, mime_type, size}."""

    waba_id: str = ""
    name: str = ""
    language: str = ""
    category: str = "UTILITY"
    wording: Wording = Wording()
    file: dict[str, Any] | None = None

    def faults(self) -> list[Fault]:
        return faults(
            name=self.name,
            language=self.language,
            category=self.category,
            wording=self.wording,
            has_file=self.file is not None,
        )

    @property
    def is_for_codes(self) -> bool:
        return self.category == AUTHENTICATION


def read(data: Any, *, before: Draft | None = None) -> Draft:
    """The draft that the form holds: complete or not. What the form does not show stays as it was `before`."""
    before = before or Draft()
    said = partial(_said, data)
    body = said("body")
    category = said("category") or before.category
    wording = replace(
        before.wording,
        header=said("header") or NONE,
        header_text=said("header_text"),
        header_example=said("header_example"),
        body=body,
        footer=said("footer"),
        buttons=tuple(_button(data, number, before) for number in range(_count(data))),
        warns="warns" in data or "expires" not in data,
        expires_minutes=int(said("expires")) if said("expires").isdigit() else None,
    )
    wording = replace(wording, examples={name: said(f"ex-{name}") for name in wording.variables})
    if wording.header != before.wording.header:
        wording = replace(wording, header_handle="")
    if category == AUTHENTICATION:
        codes = tuple(button for button in wording.buttons if button.kind == OTP) or (Button(OTP),)
        wording = replace(wording, header=NONE, buttons=codes[:1])  # the words are kept, should it be another one again
    return replace(
        before,
        waba_id=said("waba") or before.waba_id,
        name=before.name if "name" not in data else said("name"),
        language=before.language if "language" not in data else normalised_language(said("language")),
        category=category,
        wording=wording,
    )


def _said(data: Any, name: str) -> str:
    """A browser sends line ends as two characters; no database takes a NUL."""
    return str(data.get(name, "")).replace("\r\n", "\n").replace("\x00", "").strip()


def _count(data: Any) -> int:
    given = str(data.get("buttons", "0"))
    return min(int(given), _MOST_BUTTONS_READ) if given.isdigit() else 0


def _button(data: Any, number: int, before: Draft) -> Button:
    def said(name: str) -> str:
        return _said(data, f"b{number}-{name}")

    kind = said("kind") if said("kind") in BUTTONS else BUTTONS[0]
    old = before.wording.buttons[number] if number < len(before.wording.buttons) else None
    more = old.more if old and old.kind == kind else {}
    return Button(kind, said("text"), said("target"), said("example"), more)


def arranged(draft: Draft, order: str) -> Draft:
    """The draft after one of the editor's buttons: `add:URL`, `remove:2`, `up:2`."""
    act, _colon, what = order.partition(":")
    buttons = list(draft.wording.buttons)
    at = int(what) if what.isdigit() else -1
    if act == "add" and what in BUTTONS:
        buttons.append(Button(what))
    elif act == "remove" and 0 <= at < len(buttons):
        buttons.pop(at)
    elif act == "up" and 0 < at < len(buttons):
        buttons[at - 1], buttons[at] = buttons[at], buttons[at - 1]
    return replace(draft, wording=replace(draft.wording, buttons=tuple(buttons)))


def of_change(change: TemplateChange) -> Draft:
    return Draft(change.waba_id, change.name, change.language, change.category, change.wording, change.file)


def of_template(template: Template) -> Draft:
    """What Meta has, to be written over, with the file that is its example. For codes the words are Meta's."""
    # What Meta gives as the example of a file is an address, which it does not take back.
    wording = replace(of_components(template.components), header_handle="")
    if template.category == AUTHENTICATION:
        text = wording.buttons[0].text if wording.buttons else ""
        wording = Wording(
            buttons=(Button(OTP, text[:25]),), warns=wording.warns, expires_minutes=wording.expires_minutes
        )
    file = template.example if wording.header in MEDIA_HEADERS and _fits(template.example, wording.header) else None
    return Draft(template.waba_id, template.name, template.language, template.category, wording, file)


def with_file(draft: Draft, upload: UploadedFile | None, kept: str, *, tenant: Tenant) -> Draft:
    """The draft with the example that was chosen now, or that was kept before. Raises RefusedFile with a sentence."""
    if draft.wording.header not in MEDIA_HEADERS:
        return replace(draft, file=None)
    if upload:
        return replace(draft, file=_kept(upload, draft.wording.header, tenant))
    if kept:
        try:
            return replace(draft, file=signing.loads(kept, salt=_salt(tenant)))
        except signing.BadSignature:
            return replace(draft, file=None)
    return draft if _fits(draft.file, draft.wording.header) else replace(draft, file=None)


def _fits(file: dict[str, Any] | None, header: str) -> bool:
    """Whether it can be the example of such a header."""
    return file is not None and str(file["mime_type"]).startswith(_TYPES[header])


def signed(draft: Draft, *, tenant: Tenant) -> str:
    """The kept file as the form carries it along: nobody can name another one."""
    return signing.dumps(draft.file, salt=_salt(tenant)) if draft.file else ""


def _kept(upload: UploadedFile, header: str, tenant: Tenant) -> dict[str, Any]:
    mime_type, size = type_of(upload.name or "", upload.content_type or ""), upload.size or 0
    limit = CAPABILITIES["cloud"].media[header.lower()]
    if not mime_type.startswith(_TYPES[header]) or not size or not limit.allows(mime_type, size):
        raise RefusedFile(_("Meta does not take “%(name)s” as this header: wrong kind of file, empty, or too large.") % {
            "name": upload.name
        })  # fmt: skip
    stored = storing.save(tenant.pk, upload)  # type: ignore[arg-type]
    return {"stored_as": stored, "name": str(upload.name)[-200:], "mime_type": mime_type, "size": size}


def _salt(tenant: Tenant) -> str:
    return f"template-file:{tenant.pk}"


def as_fields(draft: Draft) -> Mapping[str, Any]:
    """What a change row holds of the draft."""
    return {
        "waba_id": draft.waba_id,
        "name": draft.name,
        "language": draft.language,
        "category": draft.category,
        "content": draft.wording.as_json(),
        "file": draft.file,
    }
