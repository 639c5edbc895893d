from django.apps import AppConfig
from django.conf import settings


class CrmConfig(AppConfig):
    name = "crm"

    def ready(self) -> None:
        from crm import celery, logs, receivers  # noqa: F401  (importing connects them)

        logs.configure(settings.LOG_LEVEL)
        if settings.SENTRY_DSN:
            logs.report_errors(settings.SENTRY_DSN)
