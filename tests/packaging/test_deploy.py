"""What docs/deploy.md offers is well-formed, holds no secret, and calls commands that exist."""

import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import click
import compose_spec
import kubernetes_validate
import pytest
import yaml

from documents import CHECKOUT, fenced, read
from leadhouse import __version__
from leadhouse.cli import main
from leadhouse.settings import sources
from venvs import run

_SECRET = re.compile(r"(?i)(password|secret|token|key|webhook_url|conn)\w*[ \t]*[:=][ \t]*(?!false)[^\s{$]")
_SYNC = "sync bitrix24 --reconcile-every 24h"


def check(command: str) -> None:
    """Fail unless the command line can be parsed by leadhouse's own commands."""
    words = shlex.split(command)
    assert words.pop(0).rpartition("/")[2] == "leadhouse"
    found: click.Command = main
    while isinstance(found, click.Group):
        found = found.commands[words.pop(0)]
    found.make_context(command, words)


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, lines joined."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", read("Dockerfile")))
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def last_stage() -> list[tuple[str, str]]:
    """Return the instructions of the stage that is built where none is named."""
    told = instructions()
    begin = max(at for at, (word, _) in enumerate(told) if word == "FROM")
    return told[begin:]


def compose() -> dict[str, Any]:
    """Return the compose file, validated by the specification's own model."""
    made: dict[str, Any] = compose_spec.PyCompose.from_yaml(read("compose.yaml")).to_dict()
    return made


def unit(name: str) -> ConfigParser:
    """Return a unit of systemd; a key that stands there twice has its last value."""
    parsed = ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # as the documentation of configparser says
    parsed.read_string(read(f"deploy/systemd/{name}"))
    return parsed


def test_the_linter_has_nothing_to_say_of_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, CHECKOUT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_leadhouse_as_a_user_without_rights() -> None:
    told = dict(last_stage())

    assert told["FROM"].endswith(" AS leadhouse")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", told["USER"])
    assert told["ENTRYPOINT"] == '["leadhouse"]'
    check(" ".join(yaml.safe_load(told["HEALTHCHECK"].partition(" CMD ")[2])))
    assert [word for word, _ in last_stage()].index("USER") > [word for word, _ in last_stage()].index("COPY")


def test_only_what_the_build_needs_enters_it() -> None:
    lines = [line for line in read(".dockerignore").splitlines() if line and not line.startswith("#")]
    copied = [words.split()[:-1] for word, words in instructions() if word == "COPY" and "--from" not in words]

    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == {
        name for names in copied for name in names
    }
    assert all((CHECKOUT / name).exists() for names in copied for name in names)


@pytest.mark.long
@pytest.mark.xdist_group("packaging")
def test_what_enters_the_build_makes_the_wheel(tmp_path: Path) -> None:
    copied = [words.split()[:-1] for word, words in instructions() if word == "COPY" and "--from" not in words]
    source = tmp_path / "src"
    source.mkdir()
    for name in (name for names in copied for name in names):
        run("cp", "-r", CHECKOUT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, source)

    assert [file.name for file in tmp_path.glob("*.whl")] == [f"leadhouse-{__version__}-py3-none-any.whl"]


def test_the_compose_file_is_valid_and_a_misspelt_one_is_not() -> None:
    services = compose()["services"]

    assert services.keys() == {"postgres", "leadhouse", "airflow"}
    with pytest.raises(ValueError, match="depend_on"):
        compose_spec.PyCompose.from_yaml(read("compose.yaml").replace("depends_on", "depend_on"))


def test_the_compose_file_runs_commands_that_exist_in_stages_that_exist() -> None:
    text = read("compose.yaml")
    commands = re.findall(r"leadhouse (?:sync|status)[^;\"]*", text)
    stages = {words.rpartition(" AS ")[2] for word, words in instructions() if word == "FROM"}

    assert commands == [f"leadhouse {_SYNC}"]
    check(commands[0])
    assert set(re.findall(r"target: (\w+)", text)) <= stages


def test_airflow_in_compose_has_the_pools_that_its_tasks_wait_for() -> None:
    airflow = compose()["services"]["airflow"]
    shell, flag, command = airflow["command"]
    steps = [step.split() for step in command.split(" && ")]

    assert (shell, flag) == ("bash", "-c")  # which the image's entrypoint lets through
    assert steps == [
        ["airflow", "db", "migrate"],
        ["airflow", "pools", "import", "/opt/airflow/dags/pools.json"],
        ["exec", "airflow", "standalone"],
    ]
    assert "./dags:/opt/airflow/dags:ro" in airflow["volumes"]
    assert (CHECKOUT / "dags" / "pools.json").is_file()


def test_secrets_come_from_files_that_git_ignores_and_that_have_an_example() -> None:
    asked = set(re.findall(r"deploy/\w+\.env", read("compose.yaml")))
    ignored = read(".gitignore").splitlines()

    assert asked == {"deploy/leadhouse.env", "deploy/postgres.env", "deploy/airflow.env"}
    assert "/deploy/*.env" in ignored
    for name in asked:
        assert all("=" in line for line in read(f"{name}.example").splitlines() if not line.startswith("#"))
    for name in (
        "compose.yaml",
        "Dockerfile",
        "deploy/kubernetes/cronjob.yaml",
        "deploy/systemd/leadhouse-sync@.service",
    ):
        assert _SECRET.findall(read(name)) == [], name
    assert _SECRET.findall(read("deploy/postgres.env.example"))


def test_the_examples_of_the_environment_name_existing_settings() -> None:
    names = [line.lstrip("# ").partition("=")[0] for line in read("deploy/leadhouse.env.example").splitlines()]

    assert names == ["SOURCES__BITRIX24__WEBHOOK_URL", "LEADHOUSE__TO", "LEADHOUSE__NOTIFY"]


@pytest.mark.parametrize("version", ["1.33.0", "1.37.0"])
def test_the_cron_job_is_valid_and_a_misspelt_one_is_not(version: str) -> None:
    job = yaml.safe_load(read("deploy/kubernetes/cronjob.yaml"))
    kubernetes_validate.validate(job, version, strict=True)

    job["spec"]["concurencyPolicy"] = job["spec"].pop("concurrencyPolicy")
    with pytest.raises(kubernetes_validate.ValidationError, match="concurencyPolicy"):
        kubernetes_validate.validate(job, version, strict=True)


def test_the_cron_job_runs_one_at_a_time_without_rights() -> None:
    spec = yaml.safe_load(read("deploy/kubernetes/cronjob.yaml"))["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    user = dict(last_stage())["USER"].split(":")

    assert spec["concurrencyPolicy"] == "Forbid"
    check(f"leadhouse {' '.join(container['args'])}")
    assert container["image"] == f"leadhouse:{__version__}"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [str(pod["securityContext"][name]) for name in ("runAsUser", "runAsGroup")] == user
    written = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"/tmp", dict(last_stage())["WORKDIR"]} == written  # noqa: S108 - of the container


@pytest.mark.parametrize("source", sources())
def test_the_unit_runs_a_sync_of_its_instance(source: str) -> None:
    service = unit("leadhouse-sync@.service")["Service"]

    check(service["ExecStart"].replace("%i", source))
    assert (service["Type"], service["DynamicUser"], service["User"]) == ("oneshot", "yes", "leadhouse")
    assert service["EnvironmentFile"] == "/etc/leadhouse/%i.env"


def test_the_timer_is_the_units() -> None:
    timer = unit("leadhouse-sync@.timer")

    assert timer["Timer"]["OnCalendar"] == "*:0/10"
    assert timer["Install"]["WantedBy"] == "timers.target"


@pytest.mark.long
def test_systemd_takes_the_units_and_finds_little_exposed(tmp_path: Path) -> None:
    """Wants systemd-analyze: make systemd."""
    for file in (CHECKOUT / "deploy" / "systemd").iterdir():
        text = file.read_text(encoding="utf-8").replace("/opt/leadhouse/bin/leadhouse", sys.executable)
        (tmp_path / file.name).write_text(text)
    units = [tmp_path / f"leadhouse-sync@.{kind}" for kind in ("service", "timer")]

    assert run("systemd-analyze", "verify", *units).stderr == ""
    assert run("systemd-analyze", "calendar", "*:0/10").returncode == 0
    run("systemd-analyze", "security", "--offline=true", "--threshold=20", units[0])


def test_every_command_of_the_pages_exists() -> None:
    lines = [
        line
        for page in ("docs/deploy.md", "docs/operating.md")
        for block in fenced(read(page), "sh")
        for line in re.split(r"\n|;|&&|\|\|", block.replace("\\\n", " "))
    ]
    calls = (re.search(r"(?<![\w/.@-])leadhouse (?!leadhouse)[a-z].*", line) for line in lines)
    commands = [found[0].strip() for found in calls if found]

    assert len(commands) > 5
    for command in commands:
        check(re.sub(r"\s+(2?>+|#).*", "", command))
