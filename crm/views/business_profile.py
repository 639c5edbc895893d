"""What customers see of the company behind a number, read from WhatsApp and written there; we keep no copy."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm.number_forms import ProfileForm
from crm.views.access import administrator_required, company_transaction
from crm.views.numbers import number_or_404
from tenants.middleware import outside_transaction
from tenants.requests import MemberRequest
from whatsapp.models import Number
from whatsapp.providers import UnknownProvider, get_provider
from whatsapp.providers.base import ProviderError, Refused


@outside_transaction
@administrator_required
@require_http_methods(["GET", "POST"])
def profile(request: MemberRequest, number_id: UUID) -> HttpResponse:
    """Show the profile as it is at WhatsApp; a POST changes it there."""
    with company_transaction(request):
        number = number_or_404(number_id)
        try:
            account, provider = number.account(), get_provider(number.provider)
        except UnknownProvider:
            raise Http404 from None  # nothing of it is kept at Meta
    if request.method == "GET":
        try:
            known = provider.fetch_profile(account)
        except ProviderError as failure:
            messages.error(request, _why(failure))
            return redirect("number", number.pk)
        return _page(request, number, ProfileForm(initial=ProfileForm.initial_of(known)))
    form = ProfileForm(request.POST)
    if form.is_valid():
        try:
            provider.update_profile(account, profile=form.profile())
        except ProviderError as failure:
            form.add_error(None, _why(failure))
        else:
            messages.success(request, _("Customers see the new profile within minutes."))
            return redirect("number", number.pk)
    return _page(request, number, form, status=422)


def _page(request: MemberRequest, number: Number, form: ProfileForm, *, status: int = 200) -> HttpResponse:
    with company_transaction(request):
        return render(request, "crm/numbers/profile.html", {"number": number, "form": form}, status=status)


def _why(failure: ProviderError) -> str:
    if isinstance(failure, Refused):
        return _("Meta refused: %(reason)s.") % {"reason": failure.detail.rstrip(".")}
    return _("WhatsApp could not be reached. Try again in a moment.")
