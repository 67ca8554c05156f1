"""Django's settings, made from the project's own; the only place where Django is configured.

What belongs here: Django settings. What does not: new names for the user (`tweet_profiles.settings`). No database of
Django's is used: keys, sessions and the audit log are in MongoDB.
"""

import secrets

from filelock import FileLock

from tweet_profiles.home import SECRET_FILE_MODE, Home, write_atomically
from tweet_profiles.settings import load_settings


def secret_key(home: Home) -> str:
    """The secret that signs cursors and form tokens, made once in the home."""
    path = home.root / "api.key"
    with FileLock(home.root / "api.key.lock"):
        if not path.exists():
            write_atomically(path, lambda file: file.write(secrets.token_urlsafe(60).encode()))
            path.chmod(SECRET_FILE_MODE)
        return path.read_text()


_settings = load_settings()

SECRET_KEY = secret_key(Home.open(_settings.home))
DEBUG = False
ALLOWED_HOSTS = [host.strip() for host in _settings.api_hosts.split(",") if host.strip()]
API_RATE_PER_MINUTE = _settings.api_rate_per_minute
API_GUESSES_PER_MINUTE = max(5, API_RATE_PER_MINUTE // 20)
DAGSTER_URL = _settings.dagster_url.rstrip("/")

INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "tweet_profiles.api",
]
MIDDLEWARE = [
    "tweet_profiles.api.middleware.Around",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "tweet_profiles.api.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = False
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "tweet_profiles.api.problems.csrf_failure"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
API_HTTPS = _settings.api_https
CSRF_COOKIE_SECURE = API_HTTPS
SECURE_SSL_REDIRECT = API_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if API_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = API_HTTPS
SECURE_HSTS_PRELOAD = API_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if API_HTTPS else None
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS if API_HTTPS and host != "*"]

# What Django would log quotes paths, and with them whatever somebody put there; `middleware` logs instead.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"none": {"class": "logging.NullHandler"}},
    "loggers": {"django": {"handlers": ["none"], "propagate": False}},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tweet_profiles.api.access.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tweet_profiles.api.access.HasRole"],
    "DEFAULT_THROTTLE_CLASSES": ["tweet_profiles.api.access.KeyThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tweet_profiles.api.serializers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "tweet_profiles.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "tweet_profiles",
    "DESCRIPTION": (
        "Who talks about the brand: groups of authors, their mood and how it changes. Every answer is made of one "
        "k-anonymous release; errors are Problem Details (RFC 9457)."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": ["tweet_profiles.api.access.KeyAuthentication"],
    "SERVE_PERMISSIONS": ["tweet_profiles.api.access.HasRole"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {"MoodEnum": "tweet_profiles.contracts.LABELS"},
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tweet_profiles.api.serializers.closed_requests",
    ],
}
