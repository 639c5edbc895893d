"""The ways into and out of WhatsApp: one class a provider, found by name.

Knows HTTP and the providers' wire formats. Must not know Django, our database or our people.
"""

from functools import cache
from importlib import import_module

from whatsapp.providers.base import Provider

PROVIDERS: dict[str, str] = {
    "cloud": "whatsapp.providers.cloud.Cloud",
}
"""Name to dotted path of the class. Loaded on first use, so that nobody pays for a provider that no number has."""


class UnknownProvider(LookupError):
    """No provider of that name is registered."""


@cache
def get_provider(name: str) -> Provider:
    """The one instance of a provider in this process; it is safe to share between threads. Raises UnknownProvider."""
    try:
        module, _, attribute = PROVIDERS[name].rpartition(".")
    except KeyError:
        raise UnknownProvider(f"There is no provider “{name}”; known are {', '.join(sorted(PROVIDERS))}") from None
    provider: Provider = getattr(import_module(module), attribute)()
    return provider
