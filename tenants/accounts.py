"""Signing in through django-allauth: companies are set up by their admins, so nobody signs up from outside."""

import logging
from base64 import b64decode, b64encode
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from tenants.encryption import NO_TENANT, seal, unseal
from tenants.middleware import memberships_of

log = logging.getLogger(__name__)

_SECRET_PURPOSE = "mfa_authenticator.data"  # noqa: S105


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("This login is turned off. Ask your administrator."),
        "email_password_mismatch": _("That e-mail and password do not go together."),
        "enter_current_password": _("That is not your current password."),
        "incorrect_password": _("That is not your password."),
        "invalid_password_reset": _("This link does not work any more. Ask for a new one."),
        "rate_limited": _("Too many attempts. Wait a few minutes."),
        "too_many_login_attempts": _("Too many attempts. Wait a few minutes, or reset your password."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def clean_email(self, email: str) -> str:
        return super().clean_email(email).lower()

    def get_user_search_fields(self) -> list[Any]:
        return ["email"]

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """The platform's operator, who belongs to no company, works in the admin."""
        if request.user.is_superuser and not memberships_of(request.user):
            return reverse("admin:index")
        return super().get_login_redirect_url(request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("profile")

    def format_email_subject(self, subject: str) -> str:
        return str(subject)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """In the person's own language; a request made by somebody else does not change it."""
        locale = getattr(context.get("user"), "locale", "") or translation.get_language()
        with translation.override(locale):
            super().send_mail(template_prefix, email, context)

    def send_notification_mail(self, template_prefix: str, user: Any, context: Any = None, email: Any = None) -> None:
        """What was changed stays changed when the mail about it cannot be sent."""
        try:
            super().send_notification_mail(template_prefix, user, (context or {}) | {"user": user}, email)
        except (SMTPException, OSError):
            log.warning("notification mail not sent", extra={"template": template_prefix})


class MFAAdapter(DefaultMFAAdapter):
    """The second step's secrets are sealed at rest like every other."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("That code is not right. Codes change every 30 seconds: try the next one."),
    }

    def encrypt(self, text: str) -> str:
        return b64encode(seal(text.encode(), tenant_id=NO_TENANT, purpose=_SECRET_PURPOSE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(b64decode(encrypted_text), purpose=_SECRET_PURPOSE).decode()
