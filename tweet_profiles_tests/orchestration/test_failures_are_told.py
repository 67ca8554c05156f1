"""Who is told that a run failed, over real HTTP; and the processes that steps run in."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from tweet_profiles.errors import SettingError
from tweet_profiles.home import Home
from tweet_profiles.notify import NotifyError, send
from tweet_profiles.orchestration.definitions import build_definitions
from tweet_profiles.orchestration.instance import RunFailedError, dagster_instance, execute
from tweet_profiles.orchestration.resources import HomeResource

pytestmark = pytest.mark.integration


class Hook:
    """A server that takes messages as JSON, or refuses them."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://user:secret@127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def failed_run(instance: dg.DagsterInstance) -> str:
    """The id of a report that failed because there is no release."""
    with pytest.raises(RunFailedError):
        execute(build_definitions().resolve_job_def("report"), instance)
    [run] = instance.get_runs()
    return run.run_id


def tick(instance: dg.DagsterInstance, run_id: str) -> None:
    """Let the sensor see the run, as the daemon would."""
    sensor = build_definitions().get_repository_def().get_sensor_def("tell_of_failures")
    assert isinstance(sensor, dg.RunStatusSensorDefinition)
    run = instance.get_run_by_id(run_id)
    [record] = instance.all_logs(run_id, of_type={dg.DagsterEventType.RUN_FAILURE})
    assert run is not None and record.dagster_event is not None
    context = dg.build_run_status_sensor_context(
        "tell_of_failures", record.dagster_event, instance, run, resources={"home": HomeResource()}
    )
    sensor(context.for_run_failure())


def test_a_failed_run_is_posted_with_its_job_step_and_address_and_nothing_else(
    home: Home, own_database: str, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEET_PROFILES_NOTIFY_URLS", hook.url)
    with dagster_instance(home) as instance:
        run_id = failed_run(instance)
        tick(instance, run_id)
    [message] = hook.got
    assert message["title"] == "tweet_profiles: report failed"
    assert message["message"] == (
        f"Run {run_id[:8]} of the job report failed at step segment_report. Why: http://127.0.0.1:3000/runs/{run_id}"
    )


def test_nobody_is_told_until_it_is_configured(
    home: Home, own_database: str, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status() -> dg.DefaultSensorStatus:
        return build_definitions().get_repository_def().get_sensor_def("tell_of_failures").default_status

    assert status() == dg.DefaultSensorStatus.STOPPED
    with dagster_instance(home) as instance:
        tick(instance, failed_run(instance))
    assert hook.got == []
    monkeypatch.setenv("TWEET_PROFILES_NOTIFY_URLS", hook.url)
    assert status() == dg.DefaultSensorStatus.RUNNING


def test_an_address_that_cannot_be_used_is_named_by_its_number_and_a_refusal_by_the_setting(hook: Hook) -> None:
    with pytest.raises(SettingError, match="TWEET_PROFILES_NOTIFY_URLS: address 2 is none") as unknown:
        send(f"{hook.url} nowhere://user:secret@host", "title", "text")
    hook.status = 500
    with pytest.raises(NotifyError, match="TWEET_PROFILES_NOTIFY_URLS: not every address") as refused:
        send(hook.url, "title", "text")
    assert "secret" not in f"{unknown.value} {refused.value}"


@pytest.mark.parametrize("setting", ["in_process", "multiprocess"])
def test_steps_run_in_one_process_or_in_one_each_as_the_setting_says(
    home: Home, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("TWEET_PROFILES_EXECUTOR", setting)
    with dagster_instance(home):
        pass
    module = ["-m", "tweet_profiles.orchestration.definitions", "-j", "prepare_model"]
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "job", "execute", *module],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-2000:]
    assert ("Launching subprocess for" in told) == (setting == "multiprocess")
