"""What higher layers may listen to. Bulk, after commit, never one signal a row."""

from django.dispatch import Signal

contacts_replied = Signal()
"""Customers wrote. Arguments: `tenant_id`, `contact_ids` (list), `at` (the newest message's moment)."""

contacts_changed = Signal()
"""Our people changed what they know of contacts: labels, attributes. Sent inside the transaction that says so.
Arguments: `tenant_id`, `contact_ids` (list), `at`.
"""

suspicion_changed = Signal()
"""It became more or less likely that people blocked a number. Sent inside the transaction that says so, so that what
hangs on it is true with it. Arguments: `tenant_id`, `levels` (conversation id to level; empty: nothing speaks for it), `at`.
"""
