"""`sallyport run --demo`: whoever types what it prints gets answers."""

import contextlib
import os
import re
import shlex
import unittest

from gateway import OK, run
from harness import BINARY, EndToEndTest, Server, run_peer, until


class Demonstration(Server):
    """`sallyport run --demo` in a terminal: its own ports, its own upstream, commands for people."""

    name = "demo"

    def __init__(self, folder):
        super().__init__(folder)
        self._terminal, self.stdout = os.openpty()
        os.set_blocking(self._terminal, False)
        self._screen = b""

    def configure(self):
        pass

    def arguments(self):
        return [BINARY, "run", "--demo"]

    def is_ready(self):
        return "Ctrl-C ends it." in self.screen()

    def screen(self):
        """All that the terminal has shown."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._screen += os.read(self._terminal, 65536)
        return self._screen.decode().replace("\r\n", "\n")

    def commands(self):
        """The printed lines that are commands."""
        programs = ("dig ", "kdig ", "curl ", "sallyport ")
        lines = [line.strip() for line in self.screen().splitlines() if line.startswith("  ")]
        return [line for line in lines if line.startswith(programs)]

    def __exit__(self, *about):
        try:
            super().__exit__(*about)
        finally:
            os.close(self._terminal)
            os.close(self.stdout)


class Demo(EndToEndTest):
    def test_the_printed_commands_work(self):
        demo = self.enter(Demonstration(self.folder))
        commands = demo.commands()
        self.assertEqual(
            {command.split()[0] for command in commands}, {"dig", "kdig", "curl", "sallyport"}
        )
        for scheme in ("udp", "tcp", "tls", "https"):
            self.assertIn(f"sallyport query @{scheme}://", " ".join(commands))
        for command in commands:
            with self.subTest(command=command):
                name, *arguments = shlex.split(command)
                told = run(*arguments) if name == "sallyport" else run_peer(name, *arguments)
                self.assertEqual(told.returncode, OK, told.stdout + told.stderr)
                if name == "curl":
                    self.assertTrue("192.0.2.80" in told.stdout or "/metrics" in command)
                    continue
                if "demo.test" in command:
                    self.assertIn("NOERROR", told.stdout)
                if "www.demo.test" in command:
                    self.assertRegex(told.stdout, r"\bA\s+\d+\.\d+\.\d+\.\d+")
        for transport in ("udp", "tcp", "dot", "doh"):
            shown = rf"demo\.test\. +\w+ +{transport} +NOERROR"
            until(lambda: re.search(shown, demo.screen()), f"a line for the query over {transport}")


if __name__ == "__main__":
    unittest.main()
