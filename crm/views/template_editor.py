"""Writing a template: the editor with its preview, and handing what is complete to the queue that submits it."""

from dataclasses import replace
from uuid import UUID

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm import bells, template_writing
from crm.media import RefusedFile
from crm.template_words import fault_sentence, refusal_sentence
from crm.template_writing import Draft
from crm.views.access import supervisor_required
from crm.views.templates import accounts_of_company, can_edit
from tenants import clock
from tenants.requests import MemberRequest
from whatsapp import submitting
from whatsapp.models import ChangeKind, ChangeState, Template, TemplateChange, TemplateStatus
from whatsapp.template_content import BUTTONS, CATEGORIES, HEADERS, OTP
from whatsapp.template_rules import MOST_BODY, MOST_FOOTER, MOST_HEADER, Fault

LANGUAGES = ("es", "es_AR", "es_CL", "es_CO", "es_EC", "es_ES", "es_MX", "es_PE", "es_UY", "pt_BR", "pt_PT", "en", "en_GB",
             "en_US", "fr", "it", "de")  # fmt: skip


@supervisor_required
@require_http_methods(["GET", "POST"])
def new(request: MemberRequest) -> HttpResponse:
    """A new template; `?from=` another language of one that there is."""
    draft = Draft(
        waba_id=next((account for account, _names in accounts_of_company()), ""), language=request.LANGUAGE_CODE
    )
    if origin := request.GET.get("from"):
        try:
            template = get_object_or_404(Template, pk=UUID(origin))
        except ValueError:
            raise Http404 from None
        draft = replace(template_writing.of_template(template), language="")
    return _edit(request, replace(draft, language=_known(draft.language)), None, None)


@supervisor_required
@require_http_methods(["GET", "POST"])
def edit(request: MemberRequest, template_id: UUID) -> HttpResponse:
    """Another text for a template that Meta has; a draft of one that was begun goes on."""
    template = get_object_or_404(Template, pk=template_id)
    begun = TemplateChange.objects.filter(
        waba_id=template.waba_id, name=template.name, language=template.language
    ).exclude(kind=ChangeKind.DELETE)
    if found := begun.first():
        return redirect("template-change", found.pk)
    if not can_edit(template):
        messages.error(request, _("Meta lets approved, rejected and paused templates be changed, and no others."))
        return redirect("template", template.pk)
    return _edit(request, template_writing.of_template(template), None, template)


@supervisor_required
@require_http_methods(["GET", "POST"])
def change(request: MemberRequest, change_id: UUID) -> HttpResponse:
    """A draft, or what Meta refused: with the reason, to be mended."""
    # Locked, so that a second click finds what the first has done.
    changes = TemplateChange.objects.select_for_update(of=("self",)).select_related("template")
    found = get_object_or_404(changes.exclude(kind=ChangeKind.DELETE), pk=change_id)
    if found.is_sending:
        messages.warning(request, _("It is being submitted; wait until Meta has answered."))
        return redirect("templates")
    return _edit(request, template_writing.of_change(found), found, found.template)


@supervisor_required
@require_POST
def preview(request: MemberRequest) -> HttpResponse:
    """The preview alone, as somebody types; with the examples' fields when there are other variables than before."""
    account = next((account for account, _names in accounts_of_company()), "")
    draft = template_writing.read(request.POST, before=Draft(waba_id=account))
    file = request.POST.get("kept", "")
    shown = template_writing.with_file(draft, None, file, tenant=request.membership.tenant)
    context = _parts(request, shown, shown.faults(), has_chosen=bool(request.POST.get("header_file")))
    asked = {name.removeprefix("ex-") for name in request.POST if name.startswith("ex-")}
    context["brings_examples"] = asked != set(draft.wording.variables)
    return render(request, "crm/templates/_live.html", context)


def _edit(
    request: MemberRequest, draft: Draft, change: TemplateChange | None, template: Template | None
) -> HttpResponse:
    """The editor. `do` arranges, shows or saves; otherwise what is complete is submitted."""
    if request.method == "GET":
        return _editor(request, draft, change, template)
    fixed, tenant = draft, request.membership.tenant
    draft = template_writing.read(request.POST, before=draft)
    if template:  # Meta takes no other name, language or account, and no other category once it has approved one
        draft = replace(draft, waba_id=fixed.waba_id, name=fixed.name, language=fixed.language)
        if template.status == TemplateStatus.APPROVED:
            draft = replace(draft, category=fixed.category)
    elif draft.waba_id not in dict(accounts_of_company()):
        draft = replace(draft, waba_id=fixed.waba_id)
    refused = ""
    try:
        draft = template_writing.with_file(
            draft, request.FILES.get("header_file"), request.POST.get("kept", ""), tenant=tenant
        )
    except RefusedFile as refusal:
        refused = str(refusal)
    order = request.POST.get("do", "")
    if order and order != "save" and not refused:
        return _editor(request, template_writing.arranged(draft, order), change, template)
    faults = draft.faults()
    if order == "save":
        faults = [fault for fault in faults if fault.place in ("name", "language")]
    if not faults and not order and _is_on_its_way(draft):
        return redirect("templates")  # the second click of a double click
    if not template and _is_taken(draft, change):
        faults.append(Fault("name", "name_taken"))
    if faults or refused:
        return _editor(request, draft, change, template, faults=faults, refused=refused, status=422)
    return _keep(request, draft, change, template, submits=order != "save")


def _keep(
    request: MemberRequest, draft: Draft, change: TemplateChange | None, template: Template | None, *, submits: bool
) -> HttpResponse:
    row = change or TemplateChange(
        tenant_id=request.membership.tenant_id,
        kind=ChangeKind.EDIT if template else ChangeKind.CREATE,
        template=template,
    )
    for name, value in template_writing.as_fields(draft).items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            if submits:
                submitting.submit(row)
                bells.ring_submission()
            else:
                row.save()
    except IntegrityError:  # somebody began the same one meanwhile
        return _editor(request, draft, change, template, faults=[Fault("name", "name_taken")], status=422)
    if submits:
        messages.success(
            request, _("“%(name)s” is being submitted. Meta usually answers within minutes.") % {"name": row.name}
        )
        return redirect("templates")
    messages.success(request, _("Saved as a draft. Meta knows nothing of it yet."))
    return redirect("template-change", row.pk)


def _is_on_its_way(draft: Draft) -> bool:
    """Whether this very draft is being submitted already."""
    fields = {name: value for name, value in template_writing.as_fields(draft).items() if name != "file"}
    return TemplateChange.objects.filter(**fields, state=ChangeState.SENDING).exists()


def _is_taken(draft: Draft, change: TemplateChange | None) -> bool:
    """Whether there is one of this name and language already, at Meta or begun here."""
    key = {"waba_id": draft.waba_id, "name": draft.name, "language": draft.language}
    begun = TemplateChange.objects.filter(**key).exclude(kind=ChangeKind.DELETE)
    begun = begun.exclude(pk=change.pk) if change else begun
    return Template.objects.filter(**key).exclude(status=TemplateStatus.DELETED).exists() or begun.exists()


def _editor(
    request: MemberRequest,
    draft: Draft,
    change: TemplateChange | None,
    template: Template | None,
    *,
    faults: list[Fault] | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    context = _parts(request, draft, draft.faults()) | {
        "change": change,
        "template": template,
        "is_fixed": template is not None,
        "fixes_category": template is not None and template.status == TemplateStatus.APPROVED,
        "marked": _by_place(faults or []),
        "is_incomplete": bool(faults or refused),
        "refused_file": refused,
        "meta_said": refusal_sentence(change.failure) if change and change.failure else "",
        "accounts": accounts_of_company(),
        "languages": LANGUAGES,
        "categories": CATEGORIES,
        "headers": HEADERS,
        "kinds": [kind for kind in BUTTONS if kind != OTP],
        "kept": template_writing.signed(draft, tenant=request.membership.tenant),
        "most": {"header": MOST_HEADER, "body": MOST_BODY, "footer": MOST_FOOTER},
    }
    return render(request, "crm/templates/editor.html", context, status=status)


def _parts(request: MemberRequest, draft: Draft, faults: list[Fault], *, has_chosen: bool = False) -> dict:
    """What the preview shows: the words with their examples, and what Meta would refuse as it stands."""
    wording = draft.wording
    faults = [fault for fault in faults if not (has_chosen and fault.code == "header_file")]
    values = {f"var_{name}": example for name, example in wording.examples.items()}
    values |= {f"head_{name}": wording.header_example for name in wording.header_variables}
    return {
        "draft": draft,
        "wording": wording,
        "values": values,
        "examples": [(name, wording.examples.get(name, "")) for name in wording.variables],
        "doubts": [fault_sentence(fault) for fault in faults if draft.wording.body or fault.place != "body"],
        "lengths": {"body": len(wording.body), "header": len(wording.header_text), "footer": len(wording.footer)},
        "speaker": dict(accounts_of_company()).get(draft.waba_id, "").partition(",")[0],
        "now": clock.now(),
        "me": request.membership,
    }


def _by_place(faults: list[Fault]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for fault in faults:
        places.setdefault(fault.place.replace("-", "_"), []).append(fault_sentence(fault))
    return places


def _known(language: str) -> str:
    language = template_writing.normalised_language(language)
    return language if language in LANGUAGES else language.partition("_")[0]
