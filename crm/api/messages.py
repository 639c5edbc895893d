"""What was said in a conversation, and saying something: the same call as an agent's answer in the browser."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm import outbound
from crm.api import examples
from crm.api.authentication import caller
from crm.api.composing import MessageInput
from crm.api.errors import ASKING, READING, READING_ONE, Refused
from crm.api.pagination import LastSaidFirst
from crm.api.resource import Resource
from crm.api.serializers import EstimateSerializer, MessageSerializer
from crm.media import serving
from crm.models import Conversation, Message, Source

_CONVERSATION_ID = OpenApiParameter("conversation_id", UUID, OpenApiParameter.PATH)


@extend_schema(tags=["messages"])
class MessageResource(Resource):
    queryset = Message.objects.select_related("author__user").prefetch_related("attachments")
    serializer_class = MessageSerializer


@extend_schema_view(
    retrieve=extend_schema(
        summary="Show a message", responses={200: MessageSerializer} | READING_ONE, examples=[examples.MESSAGE]
    )
)
class Messages(mixins.RetrieveModelMixin, MessageResource):
    def get_queryset(self) -> Any:
        visible = Conversation.objects.visible_to(caller(self.request))
        return super().get_queryset().filter(conversation__in=visible)

    @extend_schema(
        summary="Download the file of a message",
        description="In ranges, if asked for. 404 until the file is there: `file.state` tells.",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY} | READING_ONE,
    )
    @action(detail=True, methods=["get"])
    def file(self, request: Request, pk: str) -> Any:
        attachment = self.get_object().attachments.first()
        if attachment is None or not attachment.stored_as:
            raise NotFound(_("The message has no file, or it is not there yet."))
        return serving.respond(
            request._request,
            stored_as=attachment.stored_as,
            size=attachment.size or 0,
            mime_type=attachment.mime_type,
            filename=attachment.filename or "file",
            download=True,
        )


class Thread(mixins.ListModelMixin, MessageResource):
    """The messages of one conversation."""

    pagination_class = LastSaidFirst

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(conversation=self._conversation())

    @extend_schema(
        summary="List the messages of a conversation, newest first",
        parameters=[_CONVERSATION_ID],
        responses={200: MessageSerializer(many=True)} | READING | READING_ONE,
        examples=[examples.MESSAGE],
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(
        summary="Send a message",
        description=(
            "Answers 201 when the message waits to be sent; `status` tells how it goes on. The same `client_id` again"
            " answers 200 with the message that is there, so a request whose answer was lost can be repeated."
        ),
        parameters=[_CONVERSATION_ID],
        request=MessageInput,
        responses={200: MessageSerializer, 201: MessageSerializer} | ASKING,
        examples=[
            examples.TEXT,
            examples.TEMPLATE_MESSAGE,
            examples.INTERACTIVE,
            examples.LOCATION,
            examples.CONTACTS,
            examples.REACTION,
            examples.FILE,
            examples.MESSAGE,
        ],
    )
    def create(self, request: Request, conversation_id: str) -> Response:
        conversation = self._conversation()
        given = self.given(MessageInput)
        known = self.get_queryset().filter(client_id=given.validated_data["client_id"]).first()
        if known:
            return Response(self.get_serializer(known).data)
        try:
            message = outbound.compose(
                conversation=conversation,
                source=Source.API,
                author=caller(request),
                now=self.now,
                **given.message(conversation),
            )
        except outbound.CannotSend as refusal:
            raise Refused(reason=refusal.reason, explanation=refusal.explanation) from None
        return Response(self.get_serializer(message).data, status.HTTP_201_CREATED)

    @extend_schema(
        summary="Say what sending a message would cost",
        description="The same input as sending; nothing is sent. Refused as sending would be.",
        parameters=[_CONVERSATION_ID],
        request=MessageInput,
        responses={200: EstimateSerializer} | ASKING,
        examples=[examples.TEXT, examples.TEMPLATE_MESSAGE],
    )
    def estimate(self, request: Request, conversation_id: str) -> Response:
        conversation = self._conversation()
        content = self.given(MessageInput).message(conversation)["content"]
        try:
            price = outbound.price(conversation=conversation, content=content, now=self.now)
        except outbound.CannotSend as refusal:
            raise Refused(reason=refusal.reason, explanation=refusal.explanation) from None
        return Response(EstimateSerializer(price).data)

    def _conversation(self) -> Conversation:
        visible = Conversation.objects.visible_to(caller(self.request)).select_related("contact", "number")
        return get_object_or_404(visible, pk=self.kwargs["conversation_id"])
