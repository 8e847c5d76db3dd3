"""Tells a person by e-mail: one connection for a batch, protected by TLS unless the site says otherwise."""

import smtplib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage

from overread.errors import PeerError
from service.notices.content import NAMED_MAX, mail
from service.notices.settings import Mailbox, MailSecurity
from service.results.destination import Answer, Sent
from service.store.database import Store
from service.store.notices import Cause, load_notice
from service.store.outbox import Delivery

_SECONDS = 60.0


class Mailer:
    """A `Destination` that is somebody's mailbox."""

    def __init__(self, mailbox: Mailbox, store: Store, page_url: str) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigurationError: the file of the authority cannot be used.
        """
        self._mailbox = mailbox
        self._server = mailbox.server
        self._store = store
        self._page_url = page_url
        self._context = self._server.context()

    @property
    def name(self) -> str:
        """Its name in the outbox."""
        return self._mailbox.outbox_name

    def close(self) -> None:
        """Nothing is kept open."""

    def send(self, deliveries: Sequence[Delivery]) -> Iterator[Sent]:
        """Send one message after the other.

        Raises:
            PeerError: the server is not there, is not protected as it should be, or refuses us.
            OutOfResourcesError: the store is not available.
        """
        with self._connected() as connection:
            for delivery in deliveries:
                notice = load_notice(self._store, delivery.notice_id or 0, named_max=NAMED_MAX)
                if not notice.count and notice.cause is not Cause.TEST:
                    words = "not sent: none of its cases is kept any more"
                    yield Sent(delivery=delivery, answer=Answer.TAKEN, words=words)
                    continue
                address = self._mailbox.address
                message = mail(notice, self._page_url, sender=self._server.sender, recipient=address)
                sent = _sent(connection, delivery, message)
                yield sent
                if sent.answer is Answer.BROKEN:
                    return

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = f"{self._server.host}:{self._server.port}"
        try:
            connection = self._connect()
        except smtplib.SMTPAuthenticationError:
            raise PeerError(
                f"{server} does not let us in: check OVERREAD_NOTICES_MAIL_USER and ..._MAIL_PASSWORD"
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise PeerError(
                f"{server} offers no STARTTLS, or no sign-in: check OVERREAD_NOTICES_MAIL_SECURITY"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise PeerError(
                f"{server} does not answer as it should ({type(error).__name__}): check that it runs, "
                "OVERREAD_NOTICES_MAIL_SERVER and OVERREAD_NOTICES_AUTHORITY"
            ) from error
        try:
            yield connection
        finally:
            _end(connection)

    def _connect(self) -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        if self._server.security is MailSecurity.TLS:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=self._context)
        else:
            connection = smtplib.SMTP(host, port, timeout=_SECONDS)
        with ExitStack() as closing:
            closing.callback(connection.close)
            if self._server.security is MailSecurity.STARTTLS:
                connection.starttls(context=self._context)
            if self._server.user:
                connection.login(self._server.user, self._server.password)
            closing.pop_all()
        return connection


def _sent(connection: smtplib.SMTP, delivery: Delivery, message: EmailMessage) -> Sent:
    """Send one message. Of the server's words only the code is kept: they are not ours to vouch for."""
    try:
        connection.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        ((code, _),) = error.recipients.values()
        words = f"the mail server refuses the recipient with {code}; its own log says why"
        return Sent(delivery=delivery, answer=Answer.REFUSED, words=words)
    except smtplib.SMTPResponseException as error:
        words = f"the mail server refuses it with {error.smtp_code}; its own log says why"
        return Sent(delivery=delivery, answer=Answer.REFUSED, words=words)
    except (OSError, smtplib.SMTPException) as error:
        words = f"the mail server broke off, or did not answer in time ({type(error).__name__})"
        return Sent(delivery=delivery, answer=Answer.BROKEN, words=words)
    return Sent(delivery=delivery, answer=Answer.TAKEN, words="the mail server has taken it")


def _end(connection: smtplib.SMTP) -> None:
    try:
        connection.quit()
    except (OSError, smtplib.SMTPException):
        connection.close()
