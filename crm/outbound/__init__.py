"""The one way out. A reply typed by an agent, a sequence step, a bot's answer and an API call are the same call.

```
queued ──claim: attempt+1, lease, COMMIT──▶ sending ──200 + id──▶ accepted ──statuses──▶ sent/delivered/read/failed
sending ──definite refusal──▶ queued (back-off) or failed        sending ──timeout, 5xx, killed──▶ unknown
unknown ──a status carries our reference──▶ accepted     unknown ──grace over, intake healthy──▶ resend once | a person
```
A message row is its own outbox. No transaction or lock is held across a request to the provider, and every answer is
written under the attempt it belongs to, so a late one cannot overwrite a newer one.
"""

from crm.outbound.batching import Draft, compose_many
from crm.outbound.composing import CannotSend, check_shape, compose, price
from crm.outbound.deciding import decide_unknown, retry
from crm.outbound.dispatching import dispatch
from crm.outbound.reconciling import reconcile
from crm.outbound.settling import settle

__all__ = [
    "CannotSend",
    "Draft",
    "check_shape",
    "compose",
    "compose_many",
    "decide_unknown",
    "dispatch",
    "price",
    "reconcile",
    "retry",
    "settle",
]
