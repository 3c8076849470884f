"""A mail server of a few lines on a free local port: it keeps what it gets, or refuses it."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import cast


@dataclass
class Mailbox:
    """What arrived, as (recipients, message), and where the server listens; ``refuses`` makes it turn mail away."""

    port: int = 0
    refuses: bool = False
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    @property
    def connection(self) -> str:
        """The server as an Airflow connection, without encryption and with one try."""
        extra = {
            "from_email": "pipeline@example.org", "disable_ssl": True, "disable_tls": True, "retry_limit": 0,
            "timeout": 10,
        }  # fmt: skip
        return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra})


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Run the server in a thread as long as the block lasts."""
    mailbox = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _talk(self, mailbox)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()


def _talk(handler: socketserver.StreamRequestHandler, mailbox: Mailbox) -> None:
    """One session of RFC 5321, as far as a client needs it."""

    def say(line: str) -> None:
        handler.wfile.write(line.encode() + b"\r\n")

    recipients: list[str] = []
    say("220 test")
    while line := handler.rfile.readline().decode().strip():
        word = line[:4].upper()
        if word == "RCPT":
            recipients.append(line.partition("<")[2].partition(">")[0])
        if word == "DATA" and not mailbox.refuses:
            say("354 go on")
            text = b"".join(iter(handler.rfile.readline, b".\r\n"))
            mail = email.message_from_bytes(text, policy=email.policy.default)
            mailbox.mails.append((recipients, cast(EmailMessage, mail)))
            recipients = []
        if word == "QUIT":
            say("221 bye")
            return
        say("550 not now" if word == "DATA" and mailbox.refuses else "250 ok")
