"""Templates: what there is in each account, in which state, and since when; looked at by all, changed by supervisors."""

from itertools import groupby
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Max, QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm import bells
from crm.filling import MOST_PREFILLED
from crm.template_words import refusal_sentence, why_not
from crm.views.access import member_required, supervisor_required
from tenants import clock
from tenants.requests import MemberRequest
from whatsapp import submitting
from whatsapp.models import ChangeKind, ChangeState, Number, Template, TemplateChange, TemplateStatus
from whatsapp.template_content import CATEGORIES, of_components
from whatsapp.template_filling import with_examples

PAGE = 30


@member_required
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    """By name, with the languages of each; `?q=`, `?status=`, `?category=` and `?account=` narrow."""
    found, asked = _narrowed(Template.objects.all(), request)
    keys = found.order_by("name", "waba_id").values_list("name", "waba_id").distinct()
    page = Paginator(keys, PAGE).get_page(request.GET.get("page"))
    rows = found.filter(name__in={name for name, _account in page}).order_by("name", "waba_id", "language")
    on_page = set(page)
    groups = [
        {"name": name, "waba_id": waba_id, "templates": list(some)}
        for (name, waba_id), some in groupby(rows, key=lambda each: (each.name, each.waba_id))
        if (name, waba_id) in on_page
    ]
    accounts = accounts_of_company()
    changes = changes_shown(TemplateChange.objects.all())
    context = {
        "groups": groups,
        "page": page,
        "asked": asked,
        "changes": changes,
        "is_sending": any(change.is_sending for change in changes),
        "statuses": [(status.value, status.label) for status in TemplateStatus if status != TemplateStatus.DELETED],
        "categories": CATEGORIES,
        "accounts": accounts,
        "synced_at": Template.objects.aggregate(last=Max("synced_at"))["last"],
        "now": clock.now(),
        "me": request.membership,
    }
    return render(request, "crm/templates/index.html", context)


def _narrowed(found: QuerySet[Template], request: MemberRequest) -> tuple[QuerySet[Template], dict[str, str]]:
    asked = {
        name: request.GET.get(name, "").replace("\x00", "").strip() for name in ("q", "status", "category", "account")
    }
    if asked["status"] in TemplateStatus.values:
        found = found.filter(status=asked["status"])
    else:
        found = found.exclude(status=TemplateStatus.DELETED)
    if asked["category"] in CATEGORIES:
        found = found.filter(category=asked["category"])
    if asked["account"]:
        found = found.filter(waba_id=asked["account"][:64])
    if asked["q"]:
        found = found.filter(name__icontains=asked["q"].replace(" ", "_")[:100])
    return found, asked


def accounts_of_company() -> list[tuple[str, str]]:
    """(account, the names of its numbers that are in use), for each business account of the company."""
    numbers = Number.objects.filter(is_active=True).exclude(waba_id="").order_by("waba_id", "alias")
    return [
        (waba_id, ", ".join(str(number) for number in some))
        for waba_id, some in groupby(numbers, key=lambda number: number.waba_id)
    ]


def changes_shown(changes: QuerySet[TemplateChange]) -> list[TemplateChange]:
    """What is written and not at Meta yet, each with the sentence of its refusal."""
    found = list(changes)
    for each in found:
        each.sentence = refusal_sentence(each.failure) if each.failure else ""  # type: ignore[attr-defined]
    return found


@supervisor_required
@require_POST
def sync(request: MemberRequest) -> HttpResponse:
    """Have the company's templates fetched now."""
    bells.ring_templates(request.membership.tenant_id)
    messages.success(request, _("The templates are being fetched from Meta. Reload the page in a moment."))
    return redirect("templates")


@member_required
@require_http_methods(["GET", "POST"])
def show(request: MemberRequest, template_id: UUID) -> HttpResponseBase:
    """One template in one language; supervisors say here what its variables hold before a person writes."""
    template = get_object_or_404(Template, pk=template_id)
    if request.method == "POST":
        return _prefill(request, template)
    wording = of_components(template.components)
    others = Template.objects.filter(waba_id=template.waba_id, name=template.name).exclude(pk=template.pk)
    changes = changes_shown(TemplateChange.objects.filter(waba_id=template.waba_id, name=template.name))
    account = dict(accounts_of_company()).get(template.waba_id, template.waba_id)
    context = {
        "template": template,
        "wording": wording,
        "values": with_examples(template.components),
        "why_not": why_not(template),
        "others": others.exclude(status=TemplateStatus.DELETED).order_by("language"),
        "changes": changes,
        "is_sending": any(change.is_sending for change in changes),
        "can_edit": can_edit(template),
        "prefilled": [(name, template.prefilled.get(name, ""), _hint(name)) for name in wording.variables],
        "account": account,
        "speaker": account.partition(",")[0],
        "now": clock.now(),
        "me": request.membership,
    }
    return render(request, "crm/templates/show.html", context)


def _hint(variable: str) -> str:
    """What a variable is filled with when nothing is said."""
    if variable == "1":
        return "{first_name}"
    return "" if variable.isdigit() else f"{{{variable}}}"


@supervisor_required
def _prefill(request: MemberRequest, template: Template) -> HttpResponse:
    said = {
        name: request.POST.get(f"fill-{name}", "").replace("\x00", "").strip()[:MOST_PREFILLED]
        for name in template.variables
    }
    template.prefilled = {name: text for name, text in said.items() if text}
    template.save(update_fields=["prefilled"])
    messages.success(request, _("Saved. Whoever sends it next finds this filled in."))
    return redirect("template", template.pk)


def can_edit(template: Template) -> bool:
    """Meta takes another text for these alone, and we for those whose parts can all be written here."""
    states = (TemplateStatus.APPROVED, TemplateStatus.REJECTED, TemplateStatus.PAUSED)
    return template.status in states and of_components(template.components).can_be_edited


@supervisor_required
@require_POST
def delete(request: MemberRequest, template_id: UUID) -> HttpResponse:
    """Have Meta delete this language, or with `all` every language of the name."""
    template = get_object_or_404(Template, pk=template_id)
    language = "" if request.POST.get("all") else template.language
    waiting = TemplateChange.objects.filter(template=template, kind=ChangeKind.DELETE, state=ChangeState.SENDING)
    if not waiting.exists():
        submitting.submit(
            TemplateChange(
                tenant_id=template.tenant_id,
                kind=ChangeKind.DELETE,
                template=template,
                waba_id=template.waba_id,
                name=template.name,
                language=language,
                category=template.category,
            )
        )
        bells.ring_submission()
    messages.success(request, _("The template is being deleted at Meta."))
    return redirect("templates")


@supervisor_required
@require_POST
def discard(request: MemberRequest, change_id: UUID) -> HttpResponse:
    """Forget a draft, or what Meta refused."""
    change = get_object_or_404(TemplateChange, pk=change_id)
    if not submitting.discard(change):
        messages.error(request, _("It is being submitted; wait until Meta has answered."))
    return redirect("templates")
