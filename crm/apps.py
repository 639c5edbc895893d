from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = _("Customers")

    def ready(self) -> None:
        from crm import celery, logs, receivers  # noqa: F401  (importing connects them)

        logs.configure(settings.LOG_LEVEL)
        if settings.SENTRY_DSN:
            logs.report_errors(settings.SENTRY_DSN)
