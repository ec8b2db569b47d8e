"""Runs what README.md prints: one of its two test commands, or its console blocks, each in a shell of its own.

A console block's lines that begin with `$ ` are the commands. A line below them that is not empty
must occur in what the block prints; `...` in it stands for anything.
"""

import re
import subprocess
import sys


def blocks(kind):
    with open("README.md", encoding="utf-8") as readme:
        return re.findall(rf"^```{kind}\n(.*?)^```", readme.read(), re.M | re.S)


def tests(which):
    commands = [block.strip() for block in blocks("sh tests")]
    if len(commands) != 2:
        sys.exit("README.md must have two blocks of the kind `sh tests`: without servers, and with")
    command = commands[which]
    print(command, flush=True)
    sys.exit(subprocess.run(["bash", "-euo", "pipefail", "-c", command]).returncode)


def console():
    found = blocks("console")
    if not found:
        sys.exit("README.md has no console block")
    for block in found:
        lines = block.splitlines()
        script = "\n".join(line[2:] for line in lines if line.startswith(("$ ", "> ")))
        expected = [line for line in lines if line and not line.startswith(("$ ", "> "))]
        print(script, flush=True)
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            stdout=subprocess.PIPE, text=True, timeout=600,
        )
        print(run.stdout, flush=True)
        if run.returncode != 0:
            sys.exit(f"the block ended with {run.returncode}")
        for line in expected:
            pattern = ".*".join(re.escape(part) for part in line.strip().split("..."))
            if not re.search(pattern, run.stdout):
                sys.exit(f"the block did not print: {line}")


{
    "tests": lambda: tests(0),
    "tests-with-servers": lambda: tests(1),
    "console": console,
}[sys.argv[1]]()
