"""The companies themselves: people, queues, numbers and templates, as an owner would have set them up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password

from crm.demo.companies import OPERATOR, TRIAGE, Company, Line, Person
from crm.models import Budget, QuickReply
from tenants.context import system_transaction, tenant_transaction
from tenants.founding import ensure_triage, found, join
from tenants.models import Membership, Queue, Tenant, User
from whatsapp.models import Number, Template, TokenState
from whatsapp.simulator.catalogue import CATALOGUE
from whatsapp.simulator.numbers import Number as SimulatedNumber
from whatsapp.simulator.numbers import declared

# The simulator is the other end of these numbers: what it declares is what we register.
SIMULATED: dict[str, SimulatedNumber] = {number.id: number for number in declared()}


@dataclass(frozen=True, slots=True)
class House:
    """A company that has moved in; people by their scripts' name, numbers by Meta's id."""

    company: Company
    tenant: Tenant
    queues: dict[str, Queue]
    people: dict[str, Membership]
    numbers: dict[str, Number]


def admit_operator(*, password: str) -> None:
    """The platform's own person, who belongs to no company."""
    with system_transaction():
        if not User.objects.filter(email=OPERATOR.email).exists():
            operator = User.objects.create_superuser(OPERATOR.email, None, name=OPERATOR.name)
            _give_password([operator], make_password(password))


def move_in(company: Company, *, password: str, now: datetime) -> House:
    """Create what is missing of a company, and leave alone what is there."""
    tenant = found(
        name=company.name, slug=company.slug, timezone=company.timezone, locale=company.locale,
        default_country=company.country,
    )  # fmt: skip
    queues = {TRIAGE: ensure_triage(tenant)}
    with tenant_transaction(tenant.pk):
        for name in company.queues:
            queues[name], _created = Queue.objects.get_or_create(tenant=tenant, name=name)
        people = {person.key: _join(person, queues) for person in company.people}
        # Hashed once for all: slow by design, and these passwords are printed on the screen anyway.
        _give_password(
            [member.user for member in people.values() if not member.user.has_usable_password()],
            make_password(password),
        )
        numbers = {
            line.phone_number_id: _register(tenant, line, queues[line.queue] if line.queue != TRIAGE else None, now)
            for line in company.lines
        }
        for reply in company.replies:
            prepared = {
                "text": reply.text,
                "options": reply.options,
                "queue": queues[reply.queue] if reply.queue else None,
            }
            QuickReply.objects.get_or_create(tenant=tenant, shortcut=reply.shortcut, defaults=prepared)
        Budget.objects.get_or_create(tenant=tenant, defaults={"monthly_limit": company.monthly_limit})
        for account_id in sorted({number.waba_id for number in numbers.values()}):
            _mirror_templates(tenant, account_id, now)
    return House(company, tenant, queues, people, numbers)


def _join(person: Person, queues: dict[str, Queue]) -> Membership:
    return join(email=person.email, role=person.role, name=person.name, queues=[queues[name] for name in person.queues])


def _give_password(users: list[User], password: str) -> None:
    for user in users:
        user.password = password
        user.save(update_fields=["password"])


def _register(tenant: Tenant, line: Line, queue: Queue | None, now: datetime) -> Number:
    simulated = SIMULATED[line.phone_number_id]
    number, _created = Number.objects.get_or_create(
        phone_number_id=line.phone_number_id,
        defaults={
            "tenant": tenant,
            "alias": line.alias,
            "waba_id": simulated.account_id,
            "display_number": simulated.display,
            "token": simulated.token,
            "token_state": TokenState.VALID,
            "quality": simulated.about.get("quality_rating", "GREEN"),
            "messaging_limit": "TIER_2K",
            "throughput": "STANDARD",
            "status": "CONNECTED",
            "verified_name": simulated.name,
            "checked_at": now - timedelta(hours=1),  # so that it is asked about within minutes
            "queue": queue,
        },
    )
    return number


def _mirror_templates(tenant: Tenant, account_id: str, now: datetime) -> None:
    Template.objects.bulk_create(
        [
            Template(
                tenant=tenant,
                waba_id=account_id,
                name=template["name"],
                language=template["language"],
                category=template["category"],
                status=template["status"],
                components=template["components"],
                quality=template["quality_score"]["score"],
                reason=template["rejected_reason"].replace("NONE", ""),
                synced_at=now,
            )
            for template in CATALOGUE
        ],
        ignore_conflicts=True,
    )
