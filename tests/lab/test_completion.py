"""What a shell completes, asked of a real one."""

import shutil
import subprocess
from dataclasses import fields

import pytest

from multimix.lab.command_line.commands import COMMANDS
from multimix.lab.command_line.completion import SHELLS, completion
from multimix.lab.command_line.main import main

ASK = """
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_multimix; echo "${COMPREPLY[@]}"
}
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_settings_and_names():
    words = [
        "multimix tra",
        "multimix train --num",
        "multimix train --method cut",
        "multimix methods pu",
        "multimix report -",
    ]
    script = completion("bash", COMMANDS) + ASK + "\n".join(f"ask {line}" for line in words)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    command, settings, method, named, flags = done.stdout.splitlines()
    assert (command, method, named) == ("train", "cutmix", "puzzlemix")
    assert set(settings.split()) == {"--num-mixes", "--num-workers"}
    assert {"-o", "--output", "--quiet"} <= set(flags.split())


@pytest.mark.parametrize("shell", SHELLS)
def test_every_setting_is_in_the_script_of_every_shell(shell):
    script = completion(shell, COMMANDS)
    for name, command in COMMANDS.items():
        assert name in script
        for item in fields(command.settings):
            if item.name not in command.positional:
                assert item.name.replace("_", "-") in script, (name, item.name)


def test_the_command_prints_it_and_knows_its_shells(capsys):
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("#compdef multimix")
    assert main(["completion", "cmd"]) == 2
    assert "shell must be one of bash, zsh, tcsh, fish, got shell='cmd'" in capsys.readouterr().err
