"""The wiring. Every value that differs between installations comes from the environment; `.env.example` lists them."""

import base64
import warnings
from pathlib import Path

import environ
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

# Under `make run` only: the demo, the simulator's tokens and the movable clock exist. Never set it in production.
LOCAL = env.bool("LOCAL", default=False)
DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
BASE_URL = env.str("BASE_URL", default="http://localhost:8000")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])


def _encryption_keys(text: str) -> dict[int, bytes]:
    """`2:<base64>,1:<base64>`, newest first: 32 bytes each."""
    keys = {}
    for item in filter(None, text.split(",")):
        number, _colon, encoded = item.strip().partition(":")
        key = base64.b64decode(encoded)
        if not number.isdigit() or len(key) != 32:
            raise ImproperlyConfigured("ENCRYPTION_KEYS takes number:base64 pairs of 32 bytes, newest first.")
        keys[int(number)] = key
    if not keys:
        raise ImproperlyConfigured("ENCRYPTION_KEYS is empty: nothing could be sealed.")
    return keys


ENCRYPTION_KEYS = _encryption_keys(env.str("ENCRYPTION_KEYS"))

INSTALLED_APPS = [
    "tenants",
    "whatsapp",
    "crm",
    "sequences",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "pghistory",
    "pgtrigger",
]

# Who did it is written beside the rows that changed; reading changes none, and pays nothing for it.
PGHISTORY_MIDDLEWARE_METHODS = ("POST", "PUT", "PATCH", "DELETE")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "tenants.middleware.TenantMiddleware",
    "tenants.middleware.LocaleOfPerson",
    "pghistory.middleware.HistoryMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "crm.urls"
ASGI_APPLICATION = "crm.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "crm.views.context.navigation",
            ],
        },
    },
]

# WhiteNoise answers with files read in a thread, which is right; Django warns of it at each one.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

# --- Data ---------------------------------------------------------------------------------------------------------

DATABASES = {
    "default": {
        **env.db("DATABASE_URL", engine="tenants.postgresql"),
        "CONN_MAX_AGE": 0,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # a transaction pooler in between would lose them
        "OPTIONS": {
            # Whoever logs in acts as crm_app, which row-level security holds. See tenants.rls.
            "options": "-c role=crm_app",
            "pool": {
                "min_size": 1,
                "max_size": env.int("DATABASE_POOL_SIZE", default=20),
                "timeout": 10,
            },
        },
        # Migrations may log in as somebody else; without DATABASE_OWNER_URL the same login acts as crm_owner.
        "OWNER": {k: v for k, v in env.db("DATABASE_OWNER_URL").items() if k in ("USER", "PASSWORD", "HOST", "PORT")}
        if env.str("DATABASE_OWNER_URL", default="")
        else {},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL")
CACHES = {"default": {"BACKEND": "tenants.caching.ForgivingRedisCache", "LOCATION": REDIS_URL}}

# The stream of a browser must outlive a worker's restart; sessions are the database's.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True

# --- Celery: bells and a metronome; the work itself waits in Postgres rows ------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False  # it would send our lines in a circle, and none would be seen
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 10,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
}
# A bell that cannot be rung is dropped at once: the sweep finds the row. See crm.bells.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
# What layers above add to the side panel of a conversation: functions of it that give a template and its context.
PANEL_SECTIONS = ["crm.views.issues.section", "sequences.panel.section"]
# What they count for the navigation: the name of a page, and a function of the membership.
# And what they show in the demonstration.
DEMO_PARTS = ["sequences.demo.load", "crm.flows.demo.load"]
# When something is due next, for whoever moves the demonstration's clock.
CLOCK_NEXT = ["sequences.runner.next_due", "sequences.broadcasting.next_start"]
# Who answers a phone that fills in a Flow: a function of `whatsapp.flows.exchanging.Exchange`.
FLOW_SCREENS = "crm.flows.screens.answer"
# What may be done with contacts chosen on their page: functions of the membership that give a template and its context.
CONTACT_ACTIONS = ["sequences.panel.action"]
DASHBOARD_SECTIONS = ["sequences.reporting.section"]
# Functions of an alert that give its words, or None when its kind is not theirs.
ALERT_WORDS = ["crm.alert_words.words_of"]
RAIL_COUNTS = {"pending": "sequences.handwork.waiting"}

CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "crm.bells.sweep", "schedule": 2.0, "options": {"expires": 2}},
    "reconcile": {"task": "crm.bells.reconcile", "schedule": 15.0, "options": {"expires": 15}},
    "media": {"task": "crm.bells.media", "schedule": 5.0, "options": {"expires": 5}},
    "run-sequences": {"task": "sequences.tasks.run", "schedule": 5.0, "options": {"expires": 15}},
    "broadcast": {"task": "sequences.tasks.broadcast", "schedule": 1.0, "options": {"expires": 2}},
    "enroll": {"task": "sequences.tasks.enroll", "schedule": 60.0, "options": {"expires": 60}},
    "enroll-many": {"task": "sequences.tasks.enroll_many", "schedule": 2.0, "options": {"expires": 5}},
    "take-failed-steps": {"task": "sequences.tasks.take_failed", "schedule": 15.0, "options": {"expires": 15}},
    "find-done-tasks": {"task": "sequences.tasks.find_done", "schedule": 30.0, "options": {"expires": 30}},
    "index-messages": {"task": "crm.bells.index", "schedule": 5.0, "options": {"expires": 5}},
    "import-contacts": {"task": "crm.bells.bring", "schedule": 2.0, "options": {"expires": 2}},
    "erase": {"task": "crm.bells.erase", "schedule": 10.0, "options": {"expires": 10}},
    "report-hours": {"task": "crm.bells.report", "schedule": 60.0, "options": {"expires": 60}},
    "report-days": {
        "task": "crm.bells.report",
        "schedule": 3600.0,
        "kwargs": {"hours": 72},
        "options": {"expires": 3600},
    },
    "report-weeks": {
        "task": "crm.bells.report",
        "schedule": 86400.0,
        "kwargs": {"hours": 840},
        "options": {"expires": 3600},
    },
    "suspect-blocks": {"task": "crm.bells.suspect", "schedule": 60.0, "options": {"expires": 60}},
    "distribute": {"task": "crm.bells.distribute", "schedule": 5.0, "options": {"expires": 5}},
    "wake-snoozed": {"task": "crm.bells.wake", "schedule": 30.0, "options": {"expires": 30}},
    "watch-numbers": {"task": "whatsapp.tasks.watch_numbers", "schedule": 300.0, "options": {"expires": 300}},
    "sync-numbers": {"task": "whatsapp.tasks.sync_connections", "schedule": 3600.0, "options": {"expires": 600}},
    "sync-templates": {"task": "whatsapp.tasks.sync_templates", "schedule": 900.0, "options": {"expires": 600}},
    "sweep-flows": {"task": "whatsapp.tasks.sweep_flows", "schedule": 10.0, "options": {"expires": 10}},
    "sweep-handovers": {"task": "whatsapp.tasks.sweep_handovers", "schedule": 30.0, "options": {"expires": 30}},
    "sync-flows": {"task": "whatsapp.tasks.sync_flows", "schedule": 3600.0, "options": {"expires": 600}},
    "submit-templates": {"task": "whatsapp.tasks.submit_templates", "schedule": 15.0, "options": {"expires": 15}},
    "watch-silence": {"task": "crm.bells.silence", "schedule": 300.0, "options": {"expires": 300}},
    "mail-alerts": {"task": "crm.bells.mail_alerts", "schedule": 60.0, "options": {"expires": 60}},
    "seal-history": {"task": "crm.bells.seal_history", "schedule": 30.0, "options": {"expires": 30}},
    "verify-history": {
        "task": "crm.bells.verify_history",
        "schedule": crontab(hour=7, minute=40),
        "options": {"expires": 3600},
    },
    "forget": {"task": "crm.bells.forget", "schedule": 3600.0, "options": {"expires": 3600}},
}

# --- WhatsApp -------------------------------------------------------------------------------------------------------

META_APP_ID = env.str("META_APP_ID", default="")
META_APP_SECRET = env.str("META_APP_SECRET", default="")
META_VERIFY_TOKEN = env.str("META_VERIFY_TOKEN", default="")
WHATSAPP_ACCESS_TOKEN = env.str("WHATSAPP_ACCESS_TOKEN", default="")
GRAPH_API_URL = env.str("GRAPH_API_URL", default="https://graph.facebook.com")
GRAPH_API_VERSION = env.str("GRAPH_API_VERSION", default="v25.0")
CONNECTIONS_FILE = env.str("CONNECTIONS_FILE", default="")
CONNECTIONS_TENANT = env.str("CONNECTIONS_TENANT", default="")
WEBHOOK_RETENTION_DAYS = env.int("WEBHOOK_RETENTION_DAYS", default=30)
HEALTH_RETENTION_DAYS = env.int("HEALTH_RETENTION_DAYS", default=365)
# A function of a number: whether Meta has its key for Flows, or None while it uses none.
FLOW_KEY_STATE = "whatsapp.flows.keys.is_ready"
BLOCK_CHECK_HOURS = env.float("BLOCK_CHECK_HOURS", default=6.0)
SEND_GRACE_SECONDS = env.int("SEND_GRACE_SECONDS", default=600)
SEND_LEASE_SECONDS = env.int("SEND_LEASE_SECONDS", default=60)
SIMULATOR_URL = env.str("SIMULATOR_URL", default="")
DEMO_PASSWORD = env.str("DEMO_PASSWORD", default="demo-password")

# --- People ---------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = [
    "tenants.permissions.MembershipBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "tenants.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # else anybody could make us mail strangers
ACCOUNT_EMAIL_NOTIFICATIONS = True
# How many proxies of ours stand in front: without it everybody behind one shares its address in the login limits.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)
MFA_ADAPTER = "tenants.accounts.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Ventana"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOCAL

# --- Pages ----------------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("es", _("Spanish")), ("pt-br", _("Portuguese (Brazil)")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_FINDERS = [
    "crm.stylesheet.InlinedStylesheet",  # before the finder of the same name's @import list
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = None if LOCAL else BASE_DIR / "staticfiles"  # a local machine serves them from where they are
WHITENOISE_USE_FINDERS = LOCAL
WHITENOISE_MAX_AGE = 0 if LOCAL else 60
# Customers' files: private, reached through `crm.views.files` alone. A bucket, or a folder of this machine.
MEDIA_BUCKET = env.str("MEDIA_BUCKET", default="")
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(Path(env.str("DATA_DIR", default=str(BASE_DIR / ".local"))) / "media"))
MEDIA_MAX_BYTES = env.int("MEDIA_MAX_BYTES", default=100 * 1024 * 1024)
# The hosts that get a number's token with the request for a file (Cloud API, "Media": lookaside.fbsbx.com).
MEDIA_HOSTS = env.list("MEDIA_HOSTS", default=[".fbsbx.com", ".fbcdn.net", ".whatsapp.net"])
# A file that is being uploaded is kept on disk, not in memory.
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 20

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "media": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": MEDIA_BUCKET,
            "endpoint_url": env.str("MEDIA_ENDPOINT_URL", default="") or None,
            "region_name": env.str("MEDIA_REGION", default="") or None,
            "access_key": env.str("MEDIA_ACCESS_KEY", default="") or None,
            "secret_key": env.str("MEDIA_SECRET_KEY", default="") or None,
            "default_acl": "private",
            "querystring_auth": True,
            "file_overwrite": False,
        },
    }
    if MEDIA_BUCKET
    else {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": MEDIA_ROOT, "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["crm.api.authentication.MembershipAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["crm.api.authentication.IsMember"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "crm.api.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": env.str("API_RATE", default="1200/min"), "auth": "10/min"},
    "PAGE_SIZE": 50,
    "NUM_PROXIES": env.int("TRUSTED_PROXIES", default=0),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Ventana",
    "DESCRIPTION": "Conversations over WhatsApp: read, answer, route.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

# --- Mail, errors, logs ---------------------------------------------------------------------------------------------

vars().update(env.email("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 20  # a server that does not answer must not keep a worker's thread
# Who is told of alerts by mail; empty: each company's owners and admins.
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Ventana <no-reply@localhost>")

LOGGING_CONFIG = None
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
SENTRY_DSN = env.str("SENTRY_DSN", default="")

# --- Security -------------------------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "tenants.middleware.csrf_failure"
if not LOCAL:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],  # blob: a photo that is being sent
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "media-src": ["'self'", "blob:"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    },
}
# The kit's cobalt.
_COBALT = {
    "50": "oklch(97.4% .012 262)", "100": "oklch(94.4% .027 262)", "200": "oklch(89.3% .052 262)",
    "300": "oklch(81.5% .09 262)", "400": "oklch(71.5% .13 262)", "500": "oklch(61% .165 262)",
    "600": "oklch(52% .172 262)", "700": "oklch(45.5% .155 263)", "800": "oklch(38.5% .125 264)",
    "900": "oklch(33% .096 265)", "950": "oklch(24% .066 266)",
}  # fmt: skip
UNFOLD = {
    "SITE_TITLE": "Ventana",
    "SITE_HEADER": "Ventana",
    "SITE_URL": "/",
    "SITE_SYMBOL": "window",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": False, "navigation": "crm.sidebar.sections"},
    "DASHBOARD_CALLBACK": "crm.sidebar.overview",
    "COLORS": {"primary": _COBALT},
}
