#!/usr/bin/env python3
"""Runs a command on a terminal of its own and plays a script against it.

    terminal.py COMMAND ARG… <<'END'
    expect / #          waits until this text has appeared after what was expected last
    send echo hello\\r  types; escapes as in Python strings (\\r, \\x03, \\x10…)
    size 100 40         changes the window: columns, rows
    wait 0.2            seconds
    kill TERM           sends a signal to the command
    shell COMMAND       runs something beside it
    END

At the end of the script the command has 10 seconds (TERMINAL_TIMEOUT) to end. Writes what the terminal showed, carriage
returns and escape sequences removed; the exit status is the command's, 124 if something did not come in time.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

LIMIT = float(os.environ.get("TERMINAL_TIMEOUT", "10"))
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")


class Terminal:
    def __init__(self, command):
        self.shown, self.seen = "", 0
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.resize(80, 24)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """Takes what comes within this time; False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def text(self):
        return ESCAPES.sub("", self.shown).replace("\r", "")

    def expect(self, wanted):
        end = time.monotonic() + LIMIT
        while True:
            at = self.text().find(wanted, self.seen)
            if at >= 0:
                self.seen = at + len(wanted)
                return
            if time.monotonic() > end or not self.read(0.1):
                raise TimeoutError(f"{wanted!r} did not appear")

    def finish(self):
        end = time.monotonic() + LIMIT
        while self.read(0.1):
            if time.monotonic() > end:
                raise TimeoutError("the command did not end")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def play(terminal, script):
    for line in script:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "expect":
            terminal.expect(rest)
        elif verb == "send":
            os.write(terminal.master, codecs.decode(rest, "unicode_escape").encode())
        elif verb == "size":
            terminal.resize(*map(int, rest.split()))
        elif verb == "wait":
            terminal.read(float(rest))
        elif verb == "kill":
            os.kill(terminal.pid, getattr(signal, "SIG" + rest))
        elif verb == "shell":
            subprocess.run(rest, shell=True, check=False, timeout=LIMIT)
        elif verb:
            raise ValueError(f"terminal.py: no verb {verb!r}")


def main():
    terminal = Terminal(sys.argv[1:])
    try:
        play(terminal, sys.stdin)
        status = terminal.finish()
    except TimeoutError as problem:
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.shown += f"\n<<{problem}>>\n"
        status = 124
    sys.stdout.write(terminal.text())
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
