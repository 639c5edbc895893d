from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from crm.api.contacts import Contacts
from crm.api.conversations import Conversations
from crm.api.erasures import Erasures
from crm.api.errors import UnknownAddress
from crm.api.flows import Flows
from crm.api.messages import Messages, Thread
from crm.api.numbers import Numbers
from crm.api.queues import Queues
from crm.api.stats import Stats
from crm.api.templates import Templates
from crm.api.tokens import Tokens

router = SimpleRouter()
router.register("conversations", Conversations)
router.register("contacts", Contacts)
router.register("erasures", Erasures)
router.register("messages", Messages)
router.register("numbers", Numbers)
router.register("queues", Queues)
router.register("templates", Templates)
router.register("flows", Flows)

urlpatterns = [
    path("auth/token/", Tokens.as_view(), name="api-token"),
    path("conversations/<str:conversation_id>/messages/", Thread.as_view({"get": "list", "post": "create"})),
    path("conversations/<str:conversation_id>/estimate/", Thread.as_view({"post": "estimate"})),
    path("stats/", Stats.as_view(), name="api-stats"),
    *router.urls,
    # Only with a slash at the end, so that Django still redirects an address that merely lacks it.
    re_path(r"^(?:.*/)?$", UnknownAddress.as_view()),
]
