"""What higher layers may listen to. Bulk, after commit, never one signal a row."""

from django.dispatch import Signal

contacts_replied = Signal()
"""Customers wrote. Arguments: `tenant_id`, `contact_ids` (list), `at` (the newest message's moment)."""
