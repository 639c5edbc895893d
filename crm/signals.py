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

contacts_merged = Signal()
"""Contacts became one. Sent inside the transaction, before the old conversations are gone, so that whatever points at one
points elsewhere in time. Arguments: `tenant_id`, `contact_id` (the one that stays), `merged_ids`, `conversations` (old id →
the one it becomes part of), `at`. A receiver returns, as JSON, what it needs to take it back; that reaches it again.
"""

contacts_unmerged = Signal()
"""They are several again, and the old conversations are there. Sent inside the transaction. Arguments: `tenant_id`,
`contact_id`, `merged_ids`, `conversations`, `answers` (what each receiver of `contacts_merged` returned, by its module), `at`.
"""

contacts_erased = Signal()
"""Somebody is being erased. Sent inside the system's transaction, when they vanish from the pages and again before their
conversations are gone: what points at those, or at a message in them, goes or lets go. Arguments: `tenant_id`,
`conversations` (ids), `at`.
"""

addresses_erased = Signal()
"""Somebody is being erased: lists of addresses that are kept to be worked on lose theirs. Sent inside the system's
transaction. Arguments: `tenant_id`, `is_theirs` (a function of what is written in a list).
"""

files_released = Signal()
"""Messages that had these stored files are being erased. Sent inside the system's transaction. Arguments: `tenant_id`,
`names`. A receiver returns those that it still needs; the others are deleted.
"""
