import signal
import socket
import time

import pytest

from crm.local.processes import free_port, wait_for_end
from tests.local.conftest import kill, living


@pytest.fixture
def ports():
    return {"PORT": str(free_port()), "SIMULATOR_PORT": str(free_port())}


@pytest.fixture
def run(python, ports):
    return lambda **environment: python("-m", "crm.local", "run", **(ports | environment))


def test_says_where_to_go_and_how_to_log_in(run, ports):
    running = run()

    text = until_ready(running)

    assert f"http://localhost:{ports['PORT']}/" in text
    assert "owner@demo.test" in text and "demo-password" in text


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly_and_starts_again(run, checkout, asked):
    for _ in range(2):
        running = run()
        until_ready(running)
        running.send_signal(asked)

        assert running.wait(timeout=15) == 0
        assert living(checkout) == []


@pytest.mark.parametrize("after_s", [0.1, 0.4, 0.8])
def test_stops_cleanly_in_the_middle_of_starting(run, checkout, after_s):
    running = run()
    running.stdout.readline()
    time.sleep(after_s)
    running.terminate()

    assert running.wait(timeout=15) == 0
    assert living(checkout) == []


def test_nothing_outlives_a_killed_run(run, checkout):
    running = run()
    until_ready(running)
    left_behind = living(checkout)
    running.kill()

    assert wait_for_end(left_behind, patience_s=15) == []


def test_starts_after_kill_9_of_everything(run, checkout):
    running = run()
    until_ready(running)
    kill(living(checkout))

    assert "is ready" in until_ready(run())


def test_ends_what_a_killed_run_could_not_take_along(run, python, checkout):
    orphan = python("-c", "import time; time.sleep(600)", VENTANA_RUN=str(checkout / ".local"))

    until_ready(run())

    assert orphan.poll() is not None


def test_a_busy_port_is_one_line(run, ports, checkout):
    with socket.create_server(("127.0.0.1", int(ports["PORT"]))):
        running = run()

        text = running.communicate()[0]

    assert running.returncode == 1
    assert text.splitlines()[1:] == [
        f"Port {ports['PORT']} is busy: stop what uses it, or choose another with "
        f"`make run PORT={int(ports['PORT']) + 1}`."
    ]
    assert living(checkout) == []


def test_a_second_run_in_the_same_folder_is_refused(run):
    first = run()
    until_ready(first)

    second = run(PORT=str(free_port()))

    assert f"already running from this folder (process {first.pid})" in second.communicate()[0]
    assert second.returncode == 1
    assert first.poll() is None


def test_a_process_that_ends_takes_all_down_and_is_named(run, checkout):
    (checkout / "Procfile").write_text(
        "release: true\nweb: python web.py\nsimulator: true\nworker: echo no luck; exit 7\n"
    )

    running = run()
    text = running.communicate()[0]

    assert running.returncode == 1
    assert "ended by itself" in text
    assert living(checkout) == []


def test_a_failed_release_says_its_last_lines(run, checkout):
    (checkout / "Procfile").write_text("release: echo column missing; exit 3\nweb: true\nsimulator: true\n")

    running = run()
    text = running.communicate()[0]

    assert running.returncode == 1
    assert "release ended by itself (exit code 3)" in text and "column missing" in text
    assert living(checkout) == []


def test_a_command_beside_it_uses_its_servers(run, python):
    until_ready(run())

    command = python("manage.py", "shell")

    assert command.communicate()[0] == "managed shell\n"


def until_ready(running):
    lines = []
    for line in running.stdout:
        lines.append(line)
        if "Password" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def test_ends_with_a_killed_make(python, ports, checkout):
    make = python("-c", "import subprocess, sys; subprocess.run([sys.executable, '-m', 'crm.local', 'run'])", **ports)
    until_ready(make)
    left_behind = living(checkout)
    make.kill()

    assert wait_for_end(left_behind, patience_s=15) == []
