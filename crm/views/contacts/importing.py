"""An import of contacts beside their list: what its rows are, the fixes, bringing it in, and undoing it."""

import csv
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm import bells, contact_files, contacts, imports
from crm.contact_files import NotAList
from crm.explanations import no_phone
from crm.models import ContactImport, ImportState
from crm.views.access import member_required
from crm.views.contacts.people import list_context
from crm.views.downloads import plain_cell
from tenants import clock
from tenants.models import Tenant
from tenants.requests import MemberRequest
from whatsapp import phones

FIELDS = [
    ("", gettext_lazy("left out")),
    (contact_files.NAME, gettext_lazy("name")),
    (contact_files.PHONE, gettext_lazy("phone")),
    (contact_files.EMAIL, gettext_lazy("e-mail")),
    (contact_files.LABELS, gettext_lazy("labels")),
    (contact_files.CONSENT, gettext_lazy("agrees to marketing")),
    (contact_files.USERNAME, gettext_lazy("username")),
    (contact_files.USER_ID, gettext_lazy("WhatsApp user id")),
    (contact_files.ATTRIBUTE, gettext_lazy("attribute")),
]


@dataclass(frozen=True, slots=True)
class FaultLine:
    """A row with an error: what is written and what to do. `fix` is what a button answers for all rows like it."""

    row: int
    written: str
    sentence: str
    fix: str = ""
    fix_words: str = ""


@member_required
@require_POST
def create(request: MemberRequest) -> HttpResponse:
    """Keep an uploaded CSV and check it in the background."""
    _supervisors_only(request)
    file = request.FILES.get("file")
    if file is None or file.size is None:
        messages.error(request, _("Choose a CSV file."))
        return redirect("contacts")
    if file.size > contact_files.MOST_BYTES:
        messages.error(request, _refusal("too_large"))
        return redirect("contacts")
    try:
        asked = imports.begin(file.name or "contacts.csv", file.read(), by=request.membership, now=clock.now())
    except NotAList as refusal:
        messages.error(request, _refusal(refusal.reason))
        return redirect("contacts")
    bells.ring_bring()
    return redirect("contact-import", asked.pk)


@member_required
@require_http_methods(["GET", "POST"])
def show(request: MemberRequest, import_id: UUID) -> HttpResponse:
    """The import beside the list of contacts; POST acts: `fix`, `columns`, `run` or `undo`."""
    _supervisors_only(request)
    asked = get_object_or_404(ContactImport.objects.defer("content"), pk=import_id)
    if request.method == "GET":
        return render(request, "crm/contacts/index.html", list_context(request) | _context(asked))
    if not _act(request, asked):
        messages.warning(request, _("This is out of date; the page shows how it is now."))
    bells.ring_bring()
    return redirect("contact-import", asked.pk)


@member_required
@require_GET
def errors(request: MemberRequest, import_id: UUID) -> HttpResponse:
    """Only the rows with an error, as they were, with the reason in a column of its own."""
    _supervisors_only(request)
    asked = get_object_or_404(ContactImport.objects.all(), pk=import_id)
    file = contact_files.parse(asked.content)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = slugify(asked.filename.rpartition(".")[0]) or "contacts"
    response["Content-Disposition"] = f'attachment; filename="{name}-errors.csv"'
    response.write("\ufeff")  # so that spreadsheets read the accents
    writer = csv.writer(response)
    writer.writerow([plain_cell(cell) for cell in [*file.columns, _("row"), _("error")]])
    country = _default_country(asked)
    for fault in asked.faults:
        line = _line(fault, country)
        writer.writerow([plain_cell(cell) for cell in [*file.rows[fault[0] - 2], line.row, line.sentence]])
    return response


def _act(request: MemberRequest, asked: ContactImport) -> bool:
    act, post = request.POST.get("do", ""), request.POST
    if act == "country":
        return imports.ask_again(asked, fixes={"country": _default_country(asked)})
    if act == "without_email":
        return imports.ask_again(asked, fixes={"without_email": True})
    if act == "columns":
        known = {kind for kind, _title in FIELDS}
        written = dict(zip(post.getlist("column"), post.getlist("kind"), strict=False))
        return imports.ask_again(asked, mapping={name: kind for name, kind in written.items() if kind in known})
    if act == "run":
        label = " ".join(post.get("label", "").split())[: contacts.LABEL_LENGTH]
        return imports.start(asked, uses_consent=post.get("consent") == "column", label=label)
    if act == "undo":
        return imports.take_back(asked, now=clock.now())
    return False


def _context(asked: ContactImport) -> dict[str, Any]:
    country, faults = _default_country(asked), asked.faults
    ready = asked.found.get("new", 0) + asked.found.get("updates", 0)
    return {
        "bringing": asked,
        "lines": [_line(fault, country) for fault in faults[: imports.MOST_SHOWN]],
        "more_lines": max(len(faults) - imports.MOST_SHOWN, 0),
        "ready": ready,
        "has_consent": contact_files.CONSENT in asked.mapping.values(),
        "columns": [(column, asked.mapping.get(column, "")) for column in asked.columns],
        "fields": FIELDS,
        "can_be_undone": asked.can_be_undone(clock.now()),
        "is_checked": asked.state == ImportState.CHECKED,
    }


def _line(fault: list[Any], country: str) -> FaultLine:
    row, kind, written, more = fault
    if kind == "no_country":
        code = phones.code_of(country)
        return FaultLine(row, written, _("Without a country code."), "country", _("Use +%(code)s") % {"code": code})
    if kind == "email":
        return FaultLine(row, written, _("Not an e-mail address."), "without_email", _("Import without e-mail"))
    sentences = {
        "erased": _("The person of this row was erased."),
        "no_address": _("There is no phone, e-mail or WhatsApp user id."),
        "not_a_phone": no_phone(more, written),
        "consent": _("Write yes or no."),
        "repeated": _("Row %(row)s is the same person.") % {"row": more},
    }
    return FaultLine(row, written, sentences.get(kind, kind))


def _refusal(reason: str) -> str:
    return {
        "empty": _("There is nothing below the first line, which names the columns."),
        "too_many_rows": _("At most %(most)d rows at a time. Part the file.") % {"most": contact_files.MOST_ROWS},
        "too_many_columns": _("At most %(most)d columns. Take away those you do not need.")
        % {"most": contact_files.MOST_COLUMNS},
        "too_large": _("The file is larger than 25 MB. Part it."),
    }[reason]


def _default_country(asked: ContactImport) -> str:
    return Tenant.objects.get(pk=asked.tenant_id).default_country


def _supervisors_only(request: MemberRequest) -> None:
    if not request.membership.sees_everything:
        raise PermissionDenied
