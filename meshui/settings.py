"""Settings, all from the environment (docs/operations.md). MESHUI_ENV is `embedded` (default) or `production`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import django_stubs_ext

from meshui.lib import env, secretkeys

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env.text("ENV", "embedded")
IS_PRODUCTION = ENVIRONMENT == "production"
DATA_DIR = Path(env.text("DATA_DIR") or Path.home() / ".local" / "share" / "meshui")
SITE_URL = env.text("SITE_URL", "http://127.0.0.1:8080")
IS_HTTPS = SITE_URL.startswith("https://")

VERSION = "0.1.0"
DEBUG = False
SECRET_KEY = env.text("SECRET_KEY") or secretkeys.kept_in(DATA_DIR, "secret.key", IS_PRODUCTION)
CREDENTIAL_KEYS = env.words("CREDENTIAL_KEYS") or secretkeys.fernet_kept_in(DATA_DIR, IS_PRODUCTION)
TOKEN_PEPPERS = env.words("TOKEN_PEPPERS") or secretkeys.peppers_kept_in(DATA_DIR, IS_PRODUCTION)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or ([] if IS_PRODUCTION else ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = [SITE_URL] if IS_HTTPS else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "csp",
    "django_filters",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "template_partials",
    "meshui.ui",
    "audit",
    "accounts",
    "clusters",
    "meshes",
    "metrics",
    "traffic",
    "meshui",
]
MIDDLEWARE = [
    "meshui.ui.proxies.ProxyMiddleware",
    "meshui.ui.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "meshui.ui.middleware.RequestGuardMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.middleware.SessionLifeMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "meshui.ui.middleware.RefusalMiddleware",
    "accounts.middleware.TokenInAddressMiddleware",
    "accounts.middleware.TimeZoneMiddleware",
    "accounts.middleware.GrantsMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]
ROOT_URLCONF = "meshui.urls"
ASGI_APPLICATION = "meshui.asgi.application"
WSGI_APPLICATION = "meshui.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "meshui.ui.context.page",
            ],
        },
    }
]

DATABASES = {"default": env.database(env.text("DATABASE_URL"), DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_ROUTERS: list[str] = []

AUTH_USER_MODEL = "accounts.User"
RIGHTS = "accounts.rights"
ACTOR_OF = "accounts.selectors.actor_of"  # audit lies below accounts, so its pages ask by name
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS = False  # tries are counted in rows (accounts.services), which no cache evicts
ACCOUNT_SESSION_REMEMBER = False  # one lifetime for all; accounts.views.signing sets it
ALLAUTH_TRUSTED_PROXY_COUNT = int(env.number("TRUSTED_PROXIES", 0))
PROXY_CIDRS = env.networks("PROXY_CIDRS")  # whoever else says X-Forwarded-… is not heard (meshui/ui/proxies.py)

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "__Host-meshui" if IS_HTTPS else "meshui"
SESSION_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(3600 * env.number("SESSION_HOURS", 12))
SESSION_IDLE_SECONDS = 60 * env.number("SESSION_IDLE_MINUTES", 60)
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_USE_SESSIONS = False
CSRF_FAILURE_VIEW = "meshui.ui.refusals.csrf_failure"
CROSS_SITE_VIEW = "meshui.rest.problems.cross_site"
SECURE_SSL_REDIRECT = IS_HTTPS and env.flag("SSL_REDIRECT", default=IS_PRODUCTION)
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_HSTS_PRELOAD = IS_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.number("TRUSTED_PROXIES", 0) else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "report-uri": "/csp-report/",
    }
}

FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 1

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
# Outside production the finders serve static files: nothing is collected.
STATIC_ROOT = Path(env.text("STATIC_ROOT") or DATA_DIR / "static") if IS_PRODUCTION else None
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "meshui.ui.bundles.BundleFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = False

# Whoever asks the API may do so in one of these ways; each is asked in turn.
API_AUTHENTICATION = ["accounts.authentication.TokenAuthentication", "meshui.rest.auth.SessionAuthentication"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": API_AUTHENTICATION,
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "meshui.rest.schema.Schema",
    "DEFAULT_PARSER_CLASSES": ["meshui.rest.reading.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "meshui.rest.reading.JsonAlone",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": env.text("API_RATE", "600/min")},
    "EXCEPTION_HANDLER": "meshui.rest.problems.answer",
    "UNICODE_JSON": False,  # escapes: what was sent may be quoted in a problem, and a lone surrogate has no UTF-8
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MeshUI",
    "DESCRIPTION": "See, and safely change, traffic on every service mesh in every cluster (docs/api.md).",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
}

# The mesh adapters: kind → class. An unknown kind is an error, never a default.
MESH_ADAPTERS = {"istio": "meshes.adapters.istio.IstioAdapter", "linkerd": "meshes.adapters.linkerd.LinkerdAdapter"}

# The doorbell: empty = embedded, the worker is a thread of the web process.
BROKER_URL = env.text("BROKER_URL")
CELERY_BROKER_URL = BROKER_URL or None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10.0
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# max_retries: a bell that cannot ring must not hold up the page that rings it (kombu waits 6 s by default).
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 60, "unacked_restore_interval": 1, "max_retries": 0}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "traffic.tasks.*": {"queue": "apply"},
    "meshes.tasks.*": {"queue": "discover"},
    "metrics.tasks.*": {"queue": "discover"},
}
# What is rung without anybody asking: task → seconds. Celery beat and the embedded loop read the same table.
PERIODIC = {
    "traffic.tasks.sweep": env.number("SWEEP_SECONDS", 2),
    "meshes.tasks.sweep": env.number("SWEEP_SECONDS", 2),
    "clusters.tasks.sweep": env.number("SWEEP_SECONDS", 2),
    "metrics.tasks.sweep": env.number("SWEEP_SECONDS", 2),
    "metrics.tasks.prune": 300.0,
    "traffic.tasks.age": env.number("AGE_SECONDS", 5),
}
CELERY_BEAT_SCHEDULE = {name: {"task": name, "schedule": seconds} for name, seconds in PERIODIC.items()}

# Threads of the embedded worker by the beginning of a task's name; Celery's are given by its own `--concurrency`.
LANES = {
    "traffic.": 2,
    "traffic.tasks.apply_step": int(env.number("APPLY_PARALLEL", 16)),
    "clusters.": 4,
    "meshes.": 4,
    "metrics.": 4,
}

# Live data (docs/architecture.md): what a stream may be about, each kind with the function that finds its subjects, and
# the kinds whose moves may end a stream: then the rights of all streams are read again at once.
LIVE_SUBJECTS = {
    "change": "traffic.selectors.live_subjects",
    "cluster": "clusters.selectors.live_subjects",
    "metric": "clusters.selectors.live_subjects",  # new values of a cluster: `metrics`, `metric-eu-west`
}
LIVE_BELLS = frozenset({"user", "grant", "session"})
LIVE_REREAD_SECONDS = env.number("LIVE_REREAD_SECONDS", 5)
LIVE_BEAT_SECONDS = env.number("LIVE_BEAT_SECONDS", 2)
LIVE_STREAMS_A_PERSON = 12

LEASE_SECONDS = env.number("LEASE_SECONDS", 5)
HEARTBEAT_SECONDS = env.number("HEARTBEAT_SECONDS", 1)
CONNECT_TIMEOUT = env.number("CONNECT_TIMEOUT", 3)
READ_TIMEOUT = env.number("READ_TIMEOUT", 30)
CONFLICT_RETRIES = int(env.number("CONFLICT_RETRIES", 5))
UNREACHABLE_WINDOW = env.number("UNREACHABLE_WINDOW", 300)
SYNC_SECONDS = env.number("SYNC_SECONDS", 60)
METRICS_WINDOW_SECONDS = int(env.number("METRICS_WINDOW_SECONDS", 60))  # of rates: at least two scrapes of Prometheus
GUARDRAIL_SUCCESS = env.number("GUARDRAIL_SUCCESS", 99) / 100  # percent of requests
GUARDRAIL_P99_FACTOR = env.number("GUARDRAIL_P99_FACTOR", 1.5)
WATCH = env.flag("WATCH", default=True)
WATCHERS = "meshes.services.watchers.Watchers"  # meshui lies below meshes, so it starts them by name
APPLY_PARALLEL = LANES["traffic.tasks.apply_step"]
ACCEPT_SECONDS = env.number("ACCEPT_SECONDS", 60)
APPROVAL_TTL_HOURS = env.number("APPROVAL_TTL_HOURS", 14 * 24)
DRAFT_TTL_HOURS = env.number("DRAFT_TTL_HOURS", 90 * 24)
PLAN_TTL_HOURS = env.number("PLAN_TTL_HOURS", 7 * 24)
ROLLBACK_WINDOW_HOURS = env.number("ROLLBACK_WINDOW_HOURS", 72)
MAX_STEP_PERCENT = env.number("MAX_STEP_PERCENT", 50)
ANNOTATION_DOMAIN = env.text("ANNOTATION_DOMAIN", "meshui.io")
FIELD_MANAGER = env.text("FIELD_MANAGER", "meshui")
ALLOWED_CIDRS = env.words("ALLOWED_CIDRS")
ALLOW_LOOPBACK = env.flag("ALLOW_LOOPBACK")
ALLOW_INSECURE_TLS = env.flag("ALLOW_INSECURE_TLS")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "meshui.lib.logs.MaskingFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "WARNING")},
    "loggers": {"urllib3": {"level": "WARNING"}, "botocore": {"level": "WARNING"}},
}
