"""Files of messages: fetched and handed over by a queue of their own, kept privately, shown to those who may see them."""

from crm.media.incoming import retry
from crm.media.outgoing import NewFile, RefusedFile, receive
from crm.media.working import work

__all__ = ["NewFile", "RefusedFile", "receive", "retry", "work"]
