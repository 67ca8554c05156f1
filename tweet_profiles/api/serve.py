# ruff: noqa: ARG001 - the frameworks fix the signatures
"""The production server: gunicorn with threads, started from Python.

What belongs here: how the application is served. What does not: the application.
"""

import json
import os
import shutil
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from tweet_profiles.home import Home

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Worker(ThreadWorker):
    """Threads. What is no proper request never reaches Django: it is refused here, as a problem too."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Gunicorn asks for the answer to a request that went wrong outside the application."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        # Django's settings are there only once the application is loaded.
        from tweet_profiles.api.problems import MEDIA_TYPE, TITLES

        status = 414 if isinstance(exc, LimitRequestLine) else 431 if isinstance(exc, LimitRequestHeaders) else 400
        title = TITLES[status]
        body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": title.lower()})
        head = f"HTTP/1.1 {status} {title}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n"
        util.write_nonblock(client, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("latin1"))


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
            "worker_class": Worker,
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
