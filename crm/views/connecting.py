"""Connecting a number: a token and an account, one of its numbers, and what it still needs, put right one by one.

These views speak with WhatsApp, so they run outside a transaction and open short ones.
"""

import base64
import binascii
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm import number_forms
from crm.views import number_rows
from crm.views.access import administrator_required, company_transaction
from crm.views.numbers import checklist, number_or_404
from tenants import clock
from tenants.encryption import CannotOpen, seal, unseal
from tenants.middleware import outside_transaction
from tenants.requests import MemberRequest
from whatsapp import connecting, mending
from whatsapp.checking import check_connection
from whatsapp.errors import Reason
from whatsapp.models import Number
from whatsapp.preconditions import Kind
from whatsapp.providers import PROVIDERS, get_provider
from whatsapp.providers.base import Account, ProviderError, Refused, RemoteNumber

_PURPOSE = "crm.views.connecting.token"  # what the token is sealed for while it waits in the form


@outside_transaction
@administrator_required
@require_http_methods(["GET", "POST"])
def connect(request: MemberRequest) -> HttpResponse:
    """First a token and an account, then one of the account's numbers."""
    if request.method == "GET":
        return _page(request, form=number_forms.ConnectForm())
    if "sealed" in request.POST:
        return _add(request)
    form = number_forms.ConnectForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    token, waba_id, written = (form.cleaned_data[name] for name in ("token", "waba_id", "phone_number_id"))
    try:
        remote = [RemoteNumber(written)] if written else _numbers_at_whatsapp(token, waba_id)
    except ProviderError as failure:
        form.add_error(None, _why(failure))
        return _page(request, form=form, status=422)
    sealed = seal(token.encode(), tenant_id=request.membership.tenant_id, purpose=_PURPOSE)
    initial = {"waba_id": waba_id, "sealed": base64.urlsafe_b64encode(sealed).decode()}
    return _page(request, choosing=initial, remote=remote)


def _add(request: MemberRequest) -> HttpResponse:
    """The chosen number, with its token; what it needs is asked at once and shown beside the list."""
    with company_transaction(request):
        form = number_forms.ChooseForm(request.POST)
        is_valid = form.is_valid()
    if not is_valid:
        return _choose_again(request, form)
    said = form.cleaned_data
    try:
        token = _opened(request, said["sealed"])
        with company_transaction(request):
            number = connecting.connect(
                tenant=request.membership.tenant, phone_number_id=said["phone_number_id"], waba_id=said["waba_id"],
                token=token, alias=said["alias"], display_number="", queue=said["queue"],
                endpoint=said["endpoint"], now=clock.now(),
            )  # fmt: skip
    except (connecting.CannotConnect, CannotOpen, binascii.Error) as refusal:
        sentence = str(refusal) if isinstance(refusal, connecting.CannotConnect) else _("Paste the token again.")
        form.add_error(None, sentence)
        return _choose_again(request, form)
    check_connection(tenant_id=number.tenant_id, number_id=number.pk, now=clock.now())
    messages.success(request, _("%(number)s is here. See what it still needs.") % {"number": number})
    return redirect("number", number.pk)


def _choose_again(request: MemberRequest, form: number_forms.ChooseForm) -> HttpResponse:
    """The list once more with what is wrong; without a token that opens there is none, and the first step comes again."""
    written = str(form.data.get("phone_number_id", ""))
    try:
        token, waba_id = _opened(request, str(form.data.get("sealed", ""))), str(form.data.get("waba_id", ""))
        remote = _numbers_at_whatsapp(token, waba_id)
    except ProviderError:
        remote = [RemoteNumber(written)]  # the token may not list them; the one that was written stays
    except (CannotOpen, binascii.Error):
        first = number_forms.ConnectForm(initial={"waba_id": form.data.get("waba_id", "")})
        return _page(request, form=first, complaints=[_("Paste the token again.")], status=422)
    return _page(request, choice=form, remote=remote, status=422)


@outside_transaction
@administrator_required
@require_POST
def mend(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """`do=check` asks WhatsApp again; `registered`, `subscribed` and `address` put that one thing right first."""
    with company_transaction(request):
        number = number_or_404(number_id)
    if number.provider not in PROVIDERS:
        raise Http404  # nothing of it can be put right at Meta
    which: dict[str, Any] = {"tenant_id": request.membership.tenant_id, "number_id": number_id, "now": clock.now()}
    kind = {"registered": Kind.REGISTERED, "subscribed": Kind.SUBSCRIBED, "address": Kind.ADDRESS}.get(
        request.POST.get("do", "")
    )
    if kind is Kind.REGISTERED:
        form = number_forms.PinForm(request.POST)
        if not form.is_valid():
            return _shown(request, number_id, status=422, pin_error=form.errors["pin"][0])
        mending.mend(**which, kind=kind, pin=form.cleaned_data["pin"])
    elif kind:
        mending.mend(**which, kind=kind)
    else:
        check = check_connection(**which)
        if check.token_state is None:
            return _shown(request, number_id, status=422, complaint=check.problems[0])
    return _shown(request, number_id)


@outside_transaction
@administrator_required
@require_POST
def token(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """Give the number another token, or the account it belongs to, and ask WhatsApp about it."""
    with company_transaction(request):
        number_or_404(number_id)
    form = number_forms.TokenForm(request.POST)
    if not form.is_valid():
        return _shown(request, number_id, status=422, token_form=form)
    mending.replace_token(
        tenant_id=request.membership.tenant_id, number_id=number_id, now=clock.now(), **form.cleaned_data
    )
    return redirect("number", number_id)


def _shown(request: MemberRequest, number_id: UUID, *, status: int = 200, **more: Any) -> HttpResponse:
    with company_transaction(request):
        return checklist(request, number_or_404(number_id), status=status, **more)


def _page(
    request: MemberRequest,
    *,
    form: number_forms.ConnectForm | None = None,
    choosing: dict[str, Any] | None = None,
    choice: number_forms.ChooseForm | None = None,
    remote: list[RemoteNumber] | None = None,
    complaints: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of numbers with the wizard beside it."""
    with company_transaction(request):
        context = number_rows.page(request, now=clock.now())
        if remote is not None:
            ours = set(Number.objects.values_list("phone_number_id", flat=True))
            context["remote"] = [(each, each.number_id in ours) for each in remote]
            free = next((each.number_id for each in remote if each.number_id not in ours), "")
            choice = choice or number_forms.ChooseForm(initial={"phone_number_id": free} | (choosing or {}))
        context |= {"connect": form, "choice": choice, "complaints": complaints or []}
        return render(request, "crm/numbers/index.html", context, status=status)


def _numbers_at_whatsapp(token: str, waba_id: str) -> list[RemoteNumber]:
    """The account's numbers, by this token alone. Raises ProviderError."""
    account: Account = Number(token=token, waba_id=waba_id).account()
    return list(get_provider("cloud").fetch_numbers(account))


def _opened(request: MemberRequest, sealed: str) -> str:
    """The token that came back in the form. Raises CannotOpen or binascii.Error."""
    raw = base64.urlsafe_b64decode(sealed.encode())
    return unseal(raw, purpose=_PURPOSE, tenant_id=request.membership.tenant_id).decode()


def _why(failure: ProviderError) -> str:
    if isinstance(failure, Refused) and failure.reason is Reason.AUTH:
        return _("Meta refuses this token, or it may not see this account. Generate one with both permissions.")
    if isinstance(failure, Refused):
        return _("Meta does not show this account: %(reason)s. Check its id.") % {"reason": failure.detail.rstrip(".")}
    return _("WhatsApp could not be reached. Try again in a moment.")
