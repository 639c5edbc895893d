"""Who changed what, and that nobody has touched it since.

Triggers keep the history of rows (`recording`), and only the owner of the tables turns them aside (`guarding`). A chain for
each tenant shows tampering by whoever has only the database: each row of history has an entry whose MAC covers the row, the
entry and the MAC before it, under a key that the database holds sealed (`chain`). `sealing` appends entries in the
background, `verifying` reads everything again, and `forgetting` is the only way in which history goes. Must not know which
tables there are, but by their models.
"""

from tenants.audit.forgetting import forget
from tenants.audit.recording import audited

__all__ = ["audited", "forget"]
