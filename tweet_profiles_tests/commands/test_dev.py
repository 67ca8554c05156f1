"""The command that a developer leaves running: the UI and the page on one home, begun and ended together."""

import subprocess
import urllib.error
import urllib.request

import pytest

from tweet_profiles.home import Home
from tweet_profiles_tests.api.served import free_port
from tweet_profiles_tests.conftest import executable
from tweet_profiles_tests.waiting import until

pytestmark = pytest.mark.integration


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_the_ui_and_the_page_open_together_and_end_together_at_sigterm(home: Home, own_database: str) -> None:
    ui, page = free_port(), free_port()
    process = subprocess.Popen(
        # As a shell does with what it starts in the background.
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", executable(), "dev", "--port", str(ui), "--api-port", str(page)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: answers(f"http://127.0.0.1:{ui}/server_info"), "the UI", 90)
        until(lambda: answers(f"http://127.0.0.1:{page}/healthz"), "the page", 90)
        process.terminate()
        process.wait(timeout=60)
        until(lambda: not answers(f"http://127.0.0.1:{page}/healthz"), "the end of the page")
        assert not answers(f"http://127.0.0.1:{ui}/server_info")
    finally:
        subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)
