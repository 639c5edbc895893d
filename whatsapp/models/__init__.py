from whatsapp.models.flows import Flow, FlowKey, FlowStatus, FlowToken, FlowWish, KeyState
from whatsapp.models.handovers import Handover, HandoverKind, HandoverState
from whatsapp.models.health import HealthChange, HealthKind
from whatsapp.models.numbers import Endpoint, Number, ProviderName, TokenState
from whatsapp.models.rates import Rate, RateCategory
from whatsapp.models.template_changes import ChangeKind, ChangeState, TemplateChange
from whatsapp.models.templates import Template, TemplateQuality, TemplateStatus
from whatsapp.models.webhooks import EventState, WebhookEvent

__all__ = [
    "ChangeKind",
    "ChangeState",
    "Endpoint",
    "EventState",
    "Flow",
    "FlowKey",
    "FlowStatus",
    "FlowToken",
    "FlowWish",
    "Handover",
    "HandoverKind",
    "HandoverState",
    "HealthChange",
    "HealthKind",
    "KeyState",
    "Number",
    "ProviderName",
    "Rate",
    "RateCategory",
    "Template",
    "TemplateChange",
    "TemplateQuality",
    "TemplateStatus",
    "TokenState",
    "WebhookEvent",
]
