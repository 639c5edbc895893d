"""Tokens: a password (and a code, for who uses two steps) once, then a key bound to one company."""

import secrets
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth import authenticate
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from crm.api import examples
from crm.api.authentication import IsMember, MembershipAuthentication
from crm.api.errors import INVALID, THROTTLED, UNAUTHENTICATED
from crm.api.parsing import StrictJSONParser
from crm.api.throttling import FailedSignIns, FailedSignInsFromAddress, FailedSignInsToAccount
from tenants.context import identity_transaction, tenant_transaction
from tenants.middleware import hash_of_token, memberships_of
from tenants.models import ApiToken, Membership, User


class TokenInput(serializers.Serializer):
    email = serializers.EmailField()
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    code = serializers.CharField(
        max_length=32, required=False, allow_blank=True, help_text="For who signs in in two steps: the app's code."
    )
    tenant = serializers.CharField(
        max_length=60, required=False, help_text="The company's short name; without it, the first by name."
    )


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="Shown once; only its hash is kept.")
    tenant = serializers.CharField(help_text="The short name of the company the token is bound to.")


class Tokens(APIView):
    parser_classes = [StrictJSONParser]

    def get_authenticators(self) -> list[Any]:
        """Asking for a token is signing in: what the caller is already signed in to does not matter."""
        asks = self.request is not None and self.request.method == "POST"
        return [] if asks else [MembershipAuthentication()]

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method == "POST" else [IsMember()]

    def get_throttles(self) -> list[Any]:
        if self.request.method != "POST":
            return [UserRateThrottle()]
        self.tries: list[FailedSignIns] = [FailedSignInsFromAddress(), FailedSignInsToAccount()]
        return [UserRateThrottle(), *self.tries]

    @extend_schema(
        tags=["auth"],
        summary="Get a token",
        auth=[],
        request=TokenInput,
        responses={200: TokenSerializer, 400: INVALID, 429: THROTTLED},
        examples=[examples.SIGN_IN, examples.TOKEN],
    )
    def post(self, request: Request) -> Response:
        given = TokenInput(data=request.data)
        given.is_valid(raise_exception=True)
        membership = sign_in(request, **given.validated_data)
        for tries in self.tries:
            tries.forgive()
        token = {"token": create_token(membership), "tenant": membership.tenant.slug}
        return Response(TokenSerializer(token).data, headers={"Cache-Control": "no-store"})

    @extend_schema(
        tags=["auth"],
        summary="Revoke the presented token",
        request=None,
        responses={
            204: OpenApiResponse(description="It opens nothing any more."),
            401: UNAUTHENTICATED,
            429: THROTTLED,
        },
    )
    def delete(self, request: Request) -> Response:
        _word, _space, key = request.headers.get("Authorization", "").partition(" ")
        ApiToken.objects.filter(key_hash=hash_of_token(key.strip())).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


def sign_in(request: Request, *, email: str, password: str, code: str = "", tenant: str | None = None) -> Membership:
    """Who this is, in which company. Raises ValidationError with what is wrong; an unknown e-mail is a wrong pair."""
    # As on the sign-in page no company is chosen yet, also when the caller is signed in to one.
    with identity_transaction():
        user = authenticate(request._request, email=email, password=password)
        if not isinstance(user, User):
            raise serializers.ValidationError({"detail": _("That e-mail and password do not go together.")})
        _check_second_step(user, code)
    return _chosen(memberships_of(user), tenant)


def create_token(membership: Membership) -> str:
    """A new key in this person's name in this company."""
    key = secrets.token_urlsafe(32)
    with tenant_transaction(membership.tenant_id, user_id=membership.user_id):
        ApiToken.objects.create(tenant_id=membership.tenant_id, membership=membership, key_hash=hash_of_token(key))
    return key


def _check_second_step(user: User, code: str) -> None:
    if not is_mfa_enabled(user):
        return
    if not code:
        raise serializers.ValidationError({"code": [_("This login takes two steps: send the code of your app too.")]})
    # A security key cannot be typed; whoever has only that uses a recovery code.
    typed = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN)
    if not any(authenticator.wrap().validate_code(code) for authenticator in typed):
        raise serializers.ValidationError({"code": [_("That code is not right, or it was used already.")]})


def _chosen(memberships: list[Membership], slug: str | None) -> Membership:
    if not memberships:
        raise serializers.ValidationError({"detail": _("This login belongs to no company.")})
    if slug is None:
        return memberships[0]
    chosen = next((membership for membership in memberships if membership.tenant.slug == slug), None)
    if chosen is None:
        raise serializers.ValidationError({"tenant": [_("You belong to no company with this short name.")]})
    return chosen
