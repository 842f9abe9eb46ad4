"""How callers are identified, and how connections are encrypted, as the settings have it."""

from infrastructure.identity.certificates import Certificates
from infrastructure.identity.credentials import Credentials
from infrastructure.identity.keys import KeyFile, KeysUnusable
from infrastructure.identity.tls import TlsFiles, TlsUnusable
from infrastructure.identity.tokens import Policy, Tokens
from infrastructure.rpc.identification import Anyone, Checks, Identification, Identified
from infrastructure.settings import Settings

REFUSALS = (KeysUnusable, TlsUnusable)
"""What is raised if the files of the settings cannot be used."""


def check(settings: Settings) -> None:
    """Raises one of REFUSALS if a file of keys or certificates cannot be used."""
    credentials(settings)
    tls_files(settings)


def identification(settings: Settings, checks: Checks) -> Identification:
    """How callers are identified. Raises KeysUnusable."""
    found = credentials(settings)
    return Anyone() if found is None else Identified(found, checks)


def credentials(settings: Settings) -> Credentials | None:
    """The credentials that callers must have; None if they need none. Raises KeysUnusable."""
    if settings.auth == "none":
        return None
    tokens = certificates = None
    if "jwt" in settings.auth and settings.jwt_keys is not None:
        policy = Policy(
            settings.issuers, settings.audiences, settings.jwt_role_claim, settings.roles_of_words
        )
        tokens = Tokens(KeyFile(settings.jwt_keys), policy)
    if "mtls" in settings.auth:
        certificates = Certificates(settings.roles_of_names)
    return Credentials(tokens, certificates)


def tls_files(settings: Settings) -> TlsFiles | None:
    """The certificate of the service; None without TLS. Raises TlsUnusable."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
