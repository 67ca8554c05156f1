"""The served OpenAPI document against the server: schemathesis with the keys of every role and with none.

`python -m tweet_profiles_tests.api.test_contract SECONDS` does the same for longer, on a server of its own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from tweet_profiles_tests.api.seed import switch, write_release
from tweet_profiles_tests.api.served import Api, served
from tweet_profiles_tests.servers import local_database

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection,ignored_auth,unsupported_method,missing_required_header"
)
"""Not positive_data_acceptance: no document can say which cursors were signed here, or which segments there are."""
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 414, 415, 422, 428, 429, 431]
"""
"""A question too long to read is refused as such (414, 431), before anything in it is looked at."""
SEED = 20_231
"""Of the short examination: what one sees another sees again. The long one takes another each time."""
ROLES = ("marketing", "analyst", "operator", None)


def examine(
    api: Api, role: str | None, seconds: int, folder: Path, seed: int | None
) -> "subprocess.CompletedProcess[str]":
    """Let schemathesis examine the server with the key of a role."""
    document, settings = folder / "openapi.yaml", folder / "schemathesis.toml"
    settings.write_text(SETTINGS)
    document.write_bytes(api.get("schema").body)
    key = [] if role is None else ["-H", f"Authorization: Bearer {api.keys[role]}"]
    # A key that may not ask is refused whatever it asks: there is nothing to see of how questions are read.
    checks = CHECKS if role == "operator" else CHECKS.replace("negative_data_rejection,ignored_auth,", "")
    seeded = [] if seed is None else ["--seed", str(seed)]
    return subprocess.run(
        [str(Path(sys.executable).with_name("st")), "--config-file", str(settings),
         "run", str(document), "--url", api.url, *key, *seeded, "--checks", checks,
         "--max-time", str(seconds), "--max-examples", "10000" if seconds > 60 else "60", "--continue-on-failure",
         "--generation-database", "none", "--warnings", "off", "--no-color", "--mode", "all"],
        capture_output=True, text=True, cwd=folder, check=False, timeout=seconds + 200,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_the_server_keeps_its_document(api: Api, role: str | None, tmp_path: Path) -> None:
    done = examine(api, role, 15, tmp_path, SEED)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout


def test_the_document_tells_of_every_address_with_its_errors(api: Api) -> None:
    document = yaml.safe_load(api.get("schema").body)
    assert document["openapi"].startswith("3.")
    assert len(document["paths"]) == 14
    for path in document["paths"].values():
        for operation in path.values():
            assert {"400", "401", "403", "429", "503"} <= set(operation["responses"])
            assert "application/problem+json" in operation["responses"]["401"]["content"]


def main(seconds: int) -> int:
    """Examine a server of its own with every role in turn; 0 if nothing was found."""
    with tempfile.TemporaryDirectory() as name, local_database() as server:
        folder = Path(name)
        with served(folder, server.ensure(), "contract") as api:
            switch(api.database, write_release(api.database, 1))
            worst = 0
            for role in ROLES:
                done = examine(api, role, seconds // len(ROLES), folder, None)
                sys.stdout.write(f"== {role or 'no key'}\n{done.stdout}\n{done.stderr}\n")
                worst = max(worst, done.returncode)
            return worst


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 600))
