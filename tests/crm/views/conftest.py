"""The simulated WhatsApp, for the pages that speak with it."""

from tests.whatsapp.simulator.conftest import application, running, simulator  # noqa: F401
