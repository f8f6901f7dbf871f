"""The command where a stream is closed, full, read no further, or in an encoding of long ago."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def in_a_shell(command, streams, **environment):
    line = ["sh", "-c", f'exec "$0" -m cli.main {command} {streams}', sys.executable]
    return subprocess.run(line, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "streams", "code"),
    [("policy list", "<&- >&- 2>&-", 0), ("policy show CN-99", "2>/dev/full", 2)],
)
def test_a_stream_that_is_closed_is_no_matter(command, streams, code):
    done = in_a_shell(command, streams)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_whose_key_is_asked_of_nobody_where_nobody_can_answer():
    done = in_a_shell("person erase --purpose x", "<&-", KINBIND_KEY="")
    assert done.returncode == 2
    assert done.stderr.startswith("kinbind: whose key?")


@pytest.mark.parametrize("command", ["policy list", "--help"])
def test_a_full_disk_is_said_in_one_line(command):
    done = in_a_shell(command, ">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "kinbind: what was to be written could not be: No space left on device\n"


def test_what_the_terminal_has_no_sign_for_is_shown_by_its_number():
    done = in_a_shell("policy show CN-44-guangdong", "", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u" in done.stdout


@pytest.mark.parametrize(
    ("command", "codes"),
    [("policy show CN-national", {141}), ("--help", {1, 141})],
)
def test_a_pipe_that_is_closed_is_no_matter(command, codes):
    reading, writing = os.pipe()
    os.close(reading)
    asked = [sys.executable, "-m", "cli.main", *command.split()]
    done = subprocess.run(asked, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode in codes
    assert done.stderr == ""
