"""What a sequence would do with one person who stays silent: the runner's own decisions one after the other, nothing sent."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from crm import budgets
from crm.blanks import blanks_for, filled
from crm.models import Conversation
from sequences.definition import Definition, Step, Template
from sequences.runner import categories_of, facts_of, price_of, prices_of, variant_of
from sequences.saying import words_of
from sequences.schedule import Action, Decision, Facts, decide, due_after
from tenants.models import Tenant
from whatsapp.models import Template as StoredTemplate


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One step: when it would be decided, how, what the person would read, and what it would cost (None: not known)."""

    step: Step
    at: datetime
    decision: Decision
    facts: Facts
    said: str
    price: Decimal | None


def foresee(definition: Definition, conversation: Conversation, tenant: Tenant, now: datetime) -> list[Foreseen]:
    """Every step until the end, or until something ends it. The conversation comes with its contact and number.

    A task is taken to be done at once, and a number that cannot send now to be able to by then.
    """
    templates = categories_of([definition]).get(conversation.number.waba_id, {})
    left, spent, at = budgets.left_for_automatic(tenant, now), Decimal(0), now
    found: list[Foreseen] = []
    for step in definition.steps:
        facts = facts_of(
            conversation,
            now,
            tenant,
            due_at=at,
            since=conversation.last_inbound_at or now,
            spent=spent,
            budget_left=left,
            template_categories=templates,
            variant=variant_of(conversation),
        )
        at = due_after(step.delay, at, definition, facts.zone)
        prices = prices_of(conversation, templates, at, tenant)
        facts = replace(facts, due_at=at, window=conversation.window(at), can_send=True, prices=prices)
        decision = decide(definition, step, facts, at)
        price = price_of(decision, facts)
        said = _said(decision, conversation)
        found.append(Foreseen(step, at, decision, facts, said, price))
        if decision.action in (Action.STOP, Action.PAUSE, Action.GOAL):
            break
        spent += price or Decimal(0)
        left = None if left is None else max(left - (price or Decimal(0)), Decimal(0))
    return found


def _said(decision: Decision, conversation: Conversation) -> str:
    chosen, blanks = decision.chosen, blanks_for(conversation.contact)
    if chosen is None:
        return ""
    if decision.action is Action.TEMPLATE and chosen.template:
        return _body(chosen.template, conversation, {
            name: " ".join(filled(said, blanks).split()) for name, said in chosen.template.variables.items()
        })  # fmt: skip
    said = "\n".join([words_of(chosen, blanks), *(f"[{option}]" for option in chosen.options)])
    return f"[{chosen.file.name}] {said}".strip() if chosen.file and decision.action is Action.SEND else said


def _body(template: Template, conversation: Conversation, values: dict[str, str]) -> str:
    stored = StoredTemplate.objects.filter(
        waba_id=conversation.number.waba_id, name=template.name, language=template.language
    ).first()
    return stored.filled(values) if stored else template.name
