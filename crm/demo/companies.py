"""Who works in the two companies, in which queues, with which numbers. Data, no rules."""

from dataclasses import dataclass

from crm.demo import chile, earlier, sales, stationer, support
from crm.demo.scripts import Scene
from tenants.models import Role


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in; scripts call them by the part of the address before the “@”."""

    email: str
    name: str
    role: Role
    queues: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.email.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Line:
    """One of the company's numbers: which queue answers it (none: triage), and who of them usually does."""

    phone_number_id: str
    alias: str
    queue: str
    usual_agent: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Prepared words, for everybody or for one queue."""

    shortcut: str
    text: str
    options: str = ""
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Company:
    name: str
    slug: str
    timezone: str
    locale: str
    country: str
    queues: tuple[str, ...]
    people: tuple[Person, ...]
    lines: tuple[Line, ...]
    scenes: tuple[Scene, ...]
    earlier: dict[str, str]
    monthly_limit: int
    replies: tuple[Reply, ...] = ()


TRIAGE = ""

SHOP = Company(
    name="Demo",
    slug="demo",
    timezone="America/Lima",
    locale="es",
    country="PE",
    queues=("Ventas", "Soporte"),
    people=(
        Person("owner@demo.test", "Carmen Valdivia Ríos", Role.OWNER),
        Person("admin@demo.test", "Jorge Luna Prado", Role.ADMIN),
        Person("supervisor@demo.test", "Milagros Chávez Soto", Role.SUPERVISOR),
        Person("ana@demo.test", "Ana Herrera Salas", Role.AGENT, ("Ventas", TRIAGE)),
        Person("luis@demo.test", "Luis Paredes Cruz", Role.AGENT, ("Soporte",)),
    ),
    lines=(
        Line("100000000000001", "PE Ventas", "Ventas", "ana"),
        Line("100000000000002", "PE Soporte", "Soporte", "luis"),
        Line("100000000000003", "CL Ventas", TRIAGE, "ana"),
    ),
    scenes=(*sales.SCENES, *support.SCENES, *chile.SCENES),
    earlier=earlier.TALKS,
    monthly_limit=60,
    replies=(
        Reply("hola", "¡Hola, {first_name}! Gracias por escribir a Nube Calzado. ¿En qué te ayudo?"),
        Reply(
            "envio",
            "El envío a Lima cuesta *S/ 10* y llega en 24 a 48 horas; a provincias, *S/ 15* y de 2 a 4 días.",
            options="Lima\nProvincias\nRecojo en tienda",
        ),
        Reply("tallas", "¿Qué talla buscas?", options="36\n37\n38\n39\n40\n41\n42\n43", queue="Ventas"),
        Reply(
            "seguimiento",
            "Puedes ver dónde está tu pedido aquí:",
            options="Seguir mi pedido | https://nubecalzado.test/envio",
        ),
        Reply(
            "cambio",
            "Tienes 30 días para cambiarlo, {first_name}. ¿Me mandas una foto del par y tu número de pedido?",
            queue="Soporte",
        ),
    ),
)

STATIONER = Company(
    name="Otra",
    slug="otra",
    timezone="America/Sao_Paulo",
    locale="pt-br",
    country="BR",
    queues=("Atendimento",),
    people=(Person("owner@otra.test", "Renata Albuquerque", Role.OWNER, ("Atendimento",)),),
    lines=(Line("200000000000001", "SP Balcão", "Atendimento", "owner"),),
    scenes=stationer.SCENES,
    earlier=stationer.TALKS,
    monthly_limit=40,
)

COMPANIES = (SHOP, STATIONER)
OPERATOR = Person("operator@ventana.test", "Operación Ventana", Role.OWNER)
