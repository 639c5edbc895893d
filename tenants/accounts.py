"""Signing in through django-allauth: companies are set up by their admins, so nobody signs up from outside."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def clean_email(self, email: str) -> str:
        return super().clean_email(email).lower()

    def get_user_search_fields(self) -> list[Any]:
        return ["email"]
