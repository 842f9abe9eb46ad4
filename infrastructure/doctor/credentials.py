"""What the service proves itself by, and what its callers prove themselves by: files that end."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from infrastructure.doctor.diagnosis import Diagnosis, State
from infrastructure.settings import Settings
from infrastructure.wiring import access

SUBJECT = "credentials"
RENEW_BEFORE = timedelta(days=14)


def examine(settings: Settings, now: Callable[[], datetime]) -> Iterator[Diagnosis]:
    """Whether the files of keys and certificates can be used, and how long the latter last."""
    try:
        access.check(settings)
    except access.REFUSALS as refused:
        files = [settings.tls_cert, settings.tls_key, settings.tls_client_ca, settings.jwt_keys]
        command = " ".join(["ls -l", *(str(file) for file in files if file is not None)])
        yield Diagnosis(SUBJECT, State.ILL, str(refused), "See which it is", command)
        return
    yield Diagnosis(SUBJECT, State.WELL, f"callers prove themselves by: {settings.auth}")
    for file in (settings.tls_cert, settings.tls_client_ca):
        if file is not None:
            yield _lasts(file, now())


def _lasts(file: Path, now: datetime) -> Diagnosis:
    """How long the first of the file's certificates to end lasts."""
    certificates = load_pem_x509_certificates(file.read_bytes())
    ends = min(certificate.not_valid_after_utc for certificate in certificates)
    seen = f"{file} is valid until {ends:%Y-%m-%d %H:%M} UTC"
    if ends - now > RENEW_BEFORE:
        return Diagnosis(SUBJECT, State.WELL, seen)
    state = State.ILL if ends <= now else State.DOUBTFUL
    command = f"openssl x509 -in {file} -noout -subject -dates"
    return Diagnosis(SUBJECT, state, seen, "Renew it; no restart is needed. It is", command)
