"""Ports that commands listen on: refused before anything is started, with the name of who has them.

What belongs here: asking the system. What does not: serving.
"""

import errno
import socket

import psutil

from tweet_profiles.errors import SettingError


def require_free(host: str, port: int, option: str) -> None:
    """Raise SettingError if something listens on the port already: who, and the option that names another port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise SettingError(f"port {port} is only for the superuser: name one from 1024 on with {option}") from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise SettingError(f"--host {host} cannot be listened on ({error.strerror})") from None
            raise SettingError(
                f"port {port} is taken{_by(port)}: end that, or name another port with {option}"
            ) from None


def _by(port: int) -> str:
    """Who listens on a port, as a part of a sentence; empty where the system does not tell."""
    try:
        for connection in psutil.net_connections("tcp"):
            is_it = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if is_it and connection.pid is not None:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""
    return ""
