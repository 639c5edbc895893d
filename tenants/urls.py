from django.urls import path
from django.views.generic import RedirectView

from tenants import views

urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("companies/<uuid:tenant_id>/entry/", views.enter_company, name="company-entry"),
    path("i18n/language/", views.choose_language, name="set_language"),
    # Logins are given by a company's admin, and their address is what an invitation finds them by: nobody signs up or
    # changes the address. These go before allauth's own.
    path("accounts/signup/", RedirectView.as_view(pattern_name="account_login")),
    path("accounts/email/", RedirectView.as_view(pattern_name="profile")),
    path("accounts/confirm-email/", RedirectView.as_view(pattern_name="profile")),
]
