"""Messages to people: a webhook that takes {"text": …} (Slack, Mattermost, Teams, …) and mail. The addresses come from
the environment, never from params.yaml, because they are secrets.

    FACET_WEBHOOK   URL
    FACET_MAIL      recipients, separated by commas; FACET_SMTP host:port (default localhost:25); FACET_MAIL_FROM"""

import logging
import os
import smtplib
import socket
import time
from collections.abc import Mapping
from email.message import EmailMessage

import httpx

log = logging.getLogger(__name__)

TRIES, PAUSE, TIMEOUT = 3, 2.0, 20.0  # tries of a webhook, seconds between them, seconds for each


def send(title: str, text: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Send a message to every address in the environment; return the failures as text. It never raises, so a mailbox
    cannot fail a night."""
    failed = []
    for name, deliver in (("FACET_WEBHOOK", _webhook), ("FACET_MAIL", _mail)):
        if environment.get(name):
            try:
                deliver(title, text, environment)
            except (httpx.HTTPError, httpx.InvalidURL, OSError, smtplib.SMTPException, ValueError) as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")
                log.warning("the message could not be delivered (%s)", failed[-1])
    return failed


def _webhook(title: str, text: str, environment: Mapping[str, str]) -> None:
    for left in reversed(range(TRIES)):
        try:
            answer = httpx.post(environment["FACET_WEBHOOK"], json={"text": f"*{title}*\n{text}"}, timeout=TIMEOUT)
            if answer.status_code < 500 or not left:
                answer.raise_for_status()
                return
        except httpx.TransportError:
            if not left:
                raise
        time.sleep(PAUSE)


def _mail(title: str, text: str, environment: Mapping[str, str]) -> None:
    message = EmailMessage()
    message["Subject"] = title
    message["From"] = environment.get("FACET_MAIL_FROM") or f"facet@{socket.getfqdn()}"
    message["To"] = environment["FACET_MAIL"]
    message.set_content(text)
    host, _, port = environment.get("FACET_SMTP", "localhost:25").partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT) as server:
        server.send_message(message)
