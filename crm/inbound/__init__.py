"""The one way in. Stored webhooks become contacts, conversations, messages and statuses.

Every write is an idempotent, commutative merge: duplicates, any order, several workers at once and a replay of
everything lead to the same rows.
"""

from crm.inbound.draining import drain, replay
from crm.inbound.merging import merge

__all__ = ["drain", "merge", "replay"]
