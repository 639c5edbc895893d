"""The simulated customers of a small shoe shop: who they are, how they behave, what they say. Data, no rules.

A line is a text, or a message as `POST /control/inbound` takes it. `replies` are tried in order against what the business
wrote; when none fits, the next of `asides` is said. After `most_answers` they fall silent until they open again.
"""

from dataclasses import dataclass
from typing import Any

Line = str | dict[str, Any]
Lines = tuple[Line, ...]

VENTAS, SOPORTE, CHILE, OTRA = "100000000000001", "100000000000002", "100000000000003", "200000000000001"


@dataclass(frozen=True)
class Persona:
    key: str
    name: str
    address: str  # wa_id, or a business-scoped id for someone who shows no phone
    number_id: str
    country: str
    habit: str
    tone: int
    openers: tuple[Lines, ...]
    replies: tuple[tuple[str, Lines], ...] = ()
    asides: tuple[Lines, ...] = ()
    most_answers: int = 4
    answer_s: tuple[float, float] = (2.5, 6.0)
    pace: float = 1.0  # how many times slower than usual their phone is
    phone_off: bool = False
    reads: bool = True
    blocks_after: int = 0
    username: str = ""
    from_ad: bool = False

    @property
    def first_name(self) -> str:
        return self.name.split()[0]

    @property
    def initials(self) -> str:
        words = self.name.split()
        return (words[0][0] + words[-1][0]).upper()


def _photo(text: str, sample: str = "image") -> Line:
    return {"type": "image", "sample": sample, "text": text}


_VOICE: Line = {"type": "voice"}
_PLACE: Line = {
    "type": "location",
    "latitude": -18.0066,
    "longitude": -70.2463,
    "place": "Paseo Cívico",
    "address": "Tacna, Perú",
}

PEOPLE: tuple[Persona, ...] = (
    Persona(
        "diego", "Diego Paredes", "51987650101", VENTAS, "Perú", "pregunta y desaparece", 2,
        openers=(("Hola, ¿tienen la Trail Andina 2 en talla 43?",), ("Buenas, ¿siguen con la oferta de zapatillas?",)),
        replies=(
            (r"talla|stock|tenemos|hay 4|s[ií] hay", ("¿Y si no me queda la talla?", "¿Aceptan cambios?")),
            (r"cambio|devol", ("Ah, perfecto",)),
            (r"env[ií]o|llega|d[ií]as", ("¿Cuánto sale el envío a Tacna?", _PLACE)),
            (r"precio|S/|cuesta", ("Mmm, déjame pensarlo",)),
        ),
        asides=(("Ok, gracias",), ("Lo voy a pensar y te aviso",)),
        most_answers=3,
    ),
    Persona(
        "marta", "Marta Contreras", "56961230202", CHILE, "Chile", "5 mensajes seguidos", 8,
        openers=(("Hola!!", "necesito un par para hoy", "es un regalo", "talla 38", "¿alcanzan a despachar a Ñuñoa?"),),
        replies=(
            (r"direcci[oó]n|d[oó]nde", ("Av. Irarrázaval 2434", "depto 81", "Ñuñoa")),
            (r"pago|transfer|tarjeta", ("ya transferí", _photo("Comprobante", "receipt"))),
            (r"hoy|despach|llega", ("¡Qué rápido!", "gracias gracias")),
        ),
        asides=(("¿aló?", "¿hay alguien?"), ("ya po, quedo atenta",)),
        answer_s=(0.8, 2.0),
        most_answers=6,
    ),
    Persona(
        "joao", "João Batista", "5511961230303", OTRA, "Brasil", "manda notas de voz", 3,
        openers=(("Oi, tudo bem?", _VOICE), ("Boa tarde! Vocês entregam em Campinas?",)),
        replies=(
            (r"n[uú]mero|talla|tamanho", ("Calço 42",)),
            (r"entrega|prazo|frete|env[ií]o", ("Perfeito, e aceitam Pix?",)),
            (r"pix|pagamento|pago", (_photo("Segue o comprovante", "receipt"),)),
        ),
        asides=((_VOICE,), ("Beleza, obrigado!",)),
        most_answers=4,
    ),
    Persona(
        "elsa", "Elsa Vargas", "51987650404", VENTAS, "Perú", "pide baja", 1,
        openers=(("¿Por qué me siguen escribiendo?",),),
        replies=((r"disculp|perd[oó]n|baja|lament", ("BAJA",)),),
        asides=(("No me interesa, gracias",), ("BAJA",)),
        most_answers=2,
    ),
    Persona(
        "rosa", "Rosa Huamán", "51987650505", SOPORTE, "Perú", "manda fotos y comprobantes", 5,
        openers=(
            ("Hola, mi pedido llegó con la caja abierta", _photo("Así llegó")),
            ("Ya hice el pago de la NC-1042", _photo("", "receipt")),
        ),
        replies=(
            (r"foto|imagen|muestr", (_photo("Aquí se ve mejor"),)),
            (r"boleta|factura|comprobante", ({"type": "document", "text": "La boleta que me dieron"},)),
            (r"cambio|reposici|nuevo par", ("Muchas gracias por la atención 🙏",)),
        ),
        asides=((_VOICE,), ("¿Y para cuándo sería?",)),
    ),
    Persona(
        "camila", "Camila Ferreyra", "5491161230606", CHILE, "Argentina", "contesta sin apuro", 7,
        openers=(("Hola, ¿hacen envíos a Buenos Aires?",),),
        replies=((r"env[ií]o|s[ií]|llega", ("Genial, ¿y cuánto me saldría?",)), (r"costo|US|precio", ("Dale, lo veo el finde",))),
        asides=(("Che, ¿y tenés en negro?",), ("Buenísimo, gracias",)),
        answer_s=(20, 45),
        pace=6,
        most_answers=3,
    ),
    Persona(
        "jorge", "Jorge Medina", "5215561230707", SOPORTE, "México", "teléfono apagado", 4,
        openers=(("Buenas, ¿me ayudan con un cambio? Se me acaba la pila",),),
        phone_off=True,
    ),
    Persona(
        "bruno", "Bruno Salas", "51987650808", VENTAS, "Perú", "bloquea al segundo mensaje", 6,
        openers=(("precio?",),),
        replies=(),
        asides=(("muy caro",),),
        blocks_after=2,
        most_answers=1,
    ),
    Persona(
        "luciana", "Luciana Prado", "5521961230909", VENTAS, "Brasil", "llega de un anuncio, sin vistos", 3,
        openers=(("Olá! Vi o anúncio de vocês, ainda tem a Trail Andina?",),),
        replies=((r"n[uú]mero|talla|tamanho|s[ií]", ("37, por favor",)),),
        asides=(("Vou ver com o meu marido e já respondo",),),
        reads=False,
        from_ad=True,
        most_answers=2,
    ),
    Persona(
        "sofia", "Sofía Andrade", "PE.20491876530012345", VENTAS, "Perú", "sin teléfono, solo @usuario", 2,
        openers=(("Hola! ¿Tienen tienda física en Lima?",),),
        replies=((r"tienda|direcci[oó]n|Miraflores|local", ("Paso el sábado entonces 👍",)),),
        asides=(("Bacán, gracias",),),
        username="sofi.andrade",
        most_answers=2,
    ),
)  # fmt: skip

PERSONAS: dict[str, Persona] = {persona.address: persona for persona in PEOPLE}
BY_KEY: dict[str, Persona] = {persona.key: persona for persona in PEOPLE}
