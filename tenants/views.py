"""One's own account: the company one works in, one's name and language."""

from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from tenants.middleware import SESSION_KEY
from tenants.models import User


class ProfileForm(forms.ModelForm):
    locale = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[("", gettext_lazy("Same as the browser")), *settings.LANGUAGES],
    )

    class Meta:
        model = User
        fields = ("name", "locale")


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save(commit=False).save(update_fields=["name", "locale"])
        with translation.override(form.cleaned_data["locale"] or translation.get_language()):
            messages.success(request, _("Saved."))
        return redirect("profile")
    return render(request, "tenants/profile.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@require_POST
def enter_company(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Work in another of one's companies from now on; a company one does not belong to does not exist."""
    if tenant_id not in {membership.tenant_id for membership in request.memberships}:  # type: ignore[attr-defined]
        raise Http404
    request.session[SESSION_KEY] = str(tenant_id)
    return redirect("/")


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """For this browser, and for the person in every other one."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(locale=language)
    return set_language(request)
