from whatsapp.models.health import HealthChange, HealthKind
from whatsapp.models.numbers import Endpoint, Number, ProviderName, TokenState
from whatsapp.models.rates import Rate, RateCategory
from whatsapp.models.templates import Template, TemplateStatus
from whatsapp.models.webhooks import EventState, WebhookEvent

__all__ = [
    "Endpoint",
    "EventState",
    "HealthChange",
    "HealthKind",
    "Number",
    "ProviderName",
    "Rate",
    "RateCategory",
    "Template",
    "TemplateStatus",
    "TokenState",
    "WebhookEvent",
]
