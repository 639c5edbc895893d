"""Three short plays for demonstrations: steps at their seconds, each a customer's message, a fault or a jump of the clock."""

import asyncio
from dataclasses import dataclass
from typing import Any

from . import control, inbound
from .personas import BY_KEY
from .world import World

Step = tuple[float, str, dict[str, Any]]


@dataclass(frozen=True)
class Scenario:
    key: str
    title: str
    expectation: str
    persona: str
    steps: tuple[Step, ...]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "opt-out", "Pide baja a mitad de una secuencia", "debe detener todo", "elsa",
        (
            (0, "write", {"text": "Hola, ¿todavía tienen botas de lluvia?"}),
            (4, "write", {"text": "talla 37"}),
            (9, "write", {"text": "Pensándolo bien ya no"}),
            (12, "write", {"text": "BAJA"}),
            (14, "write", {"preference": "stop"}),
        ),
    ),
    Scenario(
        "window", "La ventana vence mientras escribes", "debe ofrecer plantilla", "diego",
        (
            (0, "write", {"text": "¿Me separan un par hasta mañana?"}),
            (5, "clock", {"advance_s": 24 * 3600 - 30}),
            (20, "clock", {"advance_s": 60}),
        ),
    ),
    Scenario(
        "block", "Bloqueo tras tres mensajes", "debe avisar y frenar", "bruno",
        (
            (0, "write", {"text": "¿Cuánto cuestan las Trail Andina?"}),
            (4, "block", {"block": True}),
            (8, "clock", {"advance_s": 24 * 3600}),
            (12, "clock", {"advance_s": 24 * 3600}),
            (16, "clock", {"advance_s": 24 * 3600}),
        ),
    ),
)  # fmt: skip


async def play(world: World, *, key: str, number_id: str) -> None:
    """Run the steps of one scenario at their times."""
    scenario = next(one for one in SCENARIOS if one.key == key)
    persona = BY_KEY[scenario.persona]
    world.journal.add("scenario", world.clock.now(), number_id=number_id, customer=persona.address, text=scenario.title)
    passed = 0.0
    for second, action, given in scenario.steps:
        await asyncio.sleep(second - passed)
        passed = second
        if action == "write":
            who = {"phone_number_id": number_id, "from": persona.address, "name": persona.name}
            inbound.receive(world, {**who, **given})
        elif action == "block":
            world.faults.merge({"to": persona.address, **given})
        else:
            await control.advance(world, given["advance_s"])


def find(key: str) -> Scenario | None:
    return next((one for one in SCENARIOS if one.key == key), None)
