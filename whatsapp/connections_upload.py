"""The flow builder's connections.json, uploaded in the admin: a form, then a table of what became of each entry."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from tenants.context import current_tenant_id
from tenants.models import Tenant
from tenants.tenant_admin import is_operator
from whatsapp import tasks
from whatsapp.connecting import Outcome, Report, sync
from whatsapp.connections_file import UnusableFile

LARGEST = 2 * 1024 * 1024


class UploadForm(forms.Form):
    tenant = forms.ModelChoiceField(
        label=gettext_lazy("company"), queryset=Tenant.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    file = forms.FileField(
        label=gettext_lazy("file"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".json,application/json"}),
        help_text=gettext_lazy(
            "Numbers are created and updated; queues are never touched. Doing it twice does no harm."
        ),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_operator(request):
            self.fields["tenant"].queryset = Tenant.objects.order_by("name")  # type: ignore[attr-defined]
        else:
            del self.fields["tenant"]

    def clean_file(self) -> Any:
        if self.cleaned_data["file"].size > LARGEST:
            raise forms.ValidationError(_("The file is larger than 2 MB; connections.json is a small file."))
        return self.cleaned_data["file"]

    @property
    def company(self) -> Tenant:
        return self.cleaned_data.get("tenant") or Tenant.objects.get(pk=current_tenant_id())


def page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The form; after it was sent, the summary under it."""
    form = UploadForm(request.POST or None, request.FILES or None, request=request)
    report = None
    if request.method == "POST" and form.is_valid():
        try:
            report = sync(tenant=form.company, content=form.cleaned_data["file"].read())
        except UnusableFile as refusal:
            form.add_error("file", str(refusal))
        else:
            _ring(form.company, report)
            changed = ngettext("%(count)d number changed.", "%(count)d numbers changed.", report.changed)
            messages.success(request, changed % {"count": report.changed})
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Upload connections.json"),
        "form": form,
        "table": _table(report) if report else None,
        "without_queue": report.without_queue if report else [],
    }
    return render(request, "admin/whatsapp/upload_connections.html", context, status=422 if form.errors else 200)


def _table(report: Report) -> dict[str, Any]:
    words = {
        Outcome.CREATED: _("created"),
        Outcome.UPDATED: _("updated"),
        Outcome.REPAIRED: _("repaired"),
        Outcome.UNCHANGED: _("unchanged"),
        Outcome.OLDER: _("older: skipped"),
        Outcome.REFUSED: _("not imported"),
    }
    return {
        "headers": [_("entry"), _("result"), _("alias"), _("number"), _("queue"), _("note")],
        "rows": [
            {
                "cols": [
                    line.position,
                    words[line.outcome],
                    line.name or "–",
                    line.display_number or line.phone_number_id or "–",
                    line.queue or "–",
                    " ".join(line.warnings) or "–",
                ]
            }
            for line in report.lines
        ],
    }


def _ring(company: Tenant, report: Report) -> None:
    for line in report.lines:
        if line.needs_check:
            arguments = (str(company.pk), str(line.number_id))
            transaction.on_commit(partial(tasks.check_connection.delay, *arguments), robust=True)
