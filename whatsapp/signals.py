"""What happens to our numbers, for the layers above: one signal for many rows, sent after commit and outside any tenant."""

from django.dispatch import Signal

# kwargs: tenant_id: UUID, number_ids: list[UUID] — the numbers came into being, got another id at WhatsApp, or another
# queue. The receiver opens its own transaction. It may be sent twice for the same numbers.
numbers_routed = Signal()

# kwargs: since: datetime.date — rates that hold from then on were loaded or mended.
rates_loaded = Signal()
