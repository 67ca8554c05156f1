# ruff: noqa: ARG001 - the frameworks fix the signatures
"""The production server: gunicorn with threads, started from Python.

What belongs here: how the application is served. What does not: the application.
"""

import os
import shutil
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from tweet_profiles.home import Home

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Server(BaseApplication):
    """Gunicorn without its command line. SIGTERM lets running requests end within 30 s."""

    def __init__(self, options: dict[str, Any]):
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn asks for its settings."""
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Gunicorn asks for the application, once, before it forks."""
        os.environ["DJANGO_SETTINGS_MODULE"] = "tweet_profiles.api.conf"
        from django.core.wsgi import get_wsgi_application

        return get_wsgi_application()


def _ended(server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def serve(home: Home, host: str, port: int, workers: int, threads: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    metrics = home.cache / f"metrics-{port}"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    Server(
        {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": workers,
            "worker_class": "gthread",
            "threads": threads,
            "keepalive": 15,
            "timeout": 120,
            "graceful_timeout": 30,
            "preload_app": True,
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            "child_exit": _ended,
            "loglevel": "warning",
            "proc_name": "tweet-profiles-api",
        }
    ).run()
