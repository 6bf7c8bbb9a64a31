"""The steps of docs/start.md, in a real installation, with the files of docs/examples/notes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Installation, installation

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("start")
    for file in (ROOT / "docs" / "examples" / "notes").iterdir():
        shutil.copy(file, folder)
    # The two things that the page tells to set.
    for name, stated, wanted in (
        ("remit.json", "/opt/remit/.venv/bin/python", sys.executable),
        ("consent.json", "/srv/notes", str(folder / "notes")),
    ):
        text = (folder / name).read_text()
        assert stated in text
        (folder / name).write_text(text.replace(stated, wanted))
    git = ["git", "-C", str(folder / "notes"), "-c", "user.name=user", "-c", "user.email=user@company.com"]
    subprocess.run(["git", "init", "-q", str(folder / "notes")], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "notes: the first one"], check=True)
    with installation(folder) as running:
        yield running


def test_the_steps_of_the_start_page_lead_to_a_governed_call(here: Installation) -> None:
    assert here.remit("doctor").code == 0
    planned = here.remit("apply", "-f", "remit.json", "--plan")
    assert "+ agent notes-bot" in planned.out, planned.err
    applied = here.remit("apply", "-f", "remit.json")
    assert applied.code == 0, applied.err
    assert here.remit("apply", "-f", "remit.json").out.strip() == "= 8 unchanged"

    user = here.folder / "user.key"
    given = here.remit("delegation", "give", "notes-bot", "consent.json", "--yes", key=user)
    assert given.code == 0, given.err
    words = ["tell me what changed", "--purpose", "review", "--for", "20m", "-o", "json"]
    started = here.remit("task", "start", "notes-bot", *words, key=user)
    assert started.code == 0, started.err
    (here.folder / "task.json").write_text(started.out)

    inside, outside = str(here.folder / "notes"), "/etc"
    assert here.remit("can", "notes-bot", "notes/git_log", "--arg", f"repo_path={inside}").code == 0
    refused = here.remit("can", "notes-bot", "notes/git_log", "--arg", f"repo_path={outside}")
    assert refused.code == 3
    assert "nearest miss   /repo_path one of" in refused.out

    assert "notes: the first one" in called(here, inside)
    denial = json.loads(called(here, outside))
    assert (denial["kind"], denial["code"]) == ("scope_insufficient", "resource_outside")
    assert denial["remedy"]["action"] == "narrow_arguments"
    who = here.remit("ledger", "who", f"Repository:{inside}")
    assert who.code == 0, who.err
    assert "user@company.com" in who.out

    assert here.remit("kill", "notes-bot", "--reason", "drill", "--yes").code == 0
    assert here.remit("ledger", "export", "evidence.zip").code == 0
    assert here.remit("ledger", "verify", "evidence.zip").code == 0
    assert "access_denied" in called(here, inside, ends=1)


def called(here: Installation, repository: str, *, ends: int = 0) -> str:
    """What the page's agent prints for one repository."""
    words = [here.url, "notes-bot.key", "task.json", repository]
    ran = subprocess.run(
        [sys.executable, "agent.py", *words],
        cwd=here.folder,
        capture_output=True,
        text=True,
        check=False,
        env=here.environment(),
    )
    assert ran.returncode == ends, ran.stderr
    return ran.stdout or ran.stderr
