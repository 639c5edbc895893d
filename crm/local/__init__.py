"""What Ventana needs on a machine that has only Python: PostgreSQL, Redis, secrets, and `make run`.

Knows processes, ports, locks and the files under `DATA_DIR`. Imports no Django and nothing of the product, so that it
can run before either is configured. In production none of it acts: it stops where `SECRET_KEY` is given.
"""

from crm.local.environment import set_local_environment
from crm.local.holding import attach_or_start, release
from crm.local.processes import CannotStart
from crm.local.servers import Servers

__all__ = ["CannotStart", "Servers", "attach_or_start", "release", "set_local_environment"]
