"""Tokens for development: a key pair of one's own, and tokens that it signs."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"
_OWNER_ONLY = 0o600


class KeyUnusable(Exception):
    """The file of a private key cannot be read, written, or is of another kind."""


class SigningKey:
    """An Ed25519 key pair in two PEM files: NAME and NAME.pub."""

    def __init__(self, path: Path) -> None:
        """Reads the private key, or makes a pair if there is no file. Raises KeyUnusable."""
        self.path = path
        self.public = path.with_name(f"{path.name}.pub")
        try:
            self.made = not path.exists()
            self._key = self._new() if self.made else OKPKey.import_key(path.read_bytes())
        except OSError as refused:
            raise KeyUnusable(f"{refused.filename or path}: {refused.strerror}") from refused
        except (ValueError, TypeError) as refused:
            raise KeyUnusable(
                f"{path} holds no private Ed25519 key; name another file"
            ) from refused
        if not self._key.is_private:
            raise KeyUnusable(f"{path} holds a public key; a private one signs tokens")

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims."""
        content = json.dumps(claims).encode()
        return jws.serialize_compact({"alg": ALGORITHM}, content, self._key, algorithms=[ALGORITHM])

    def _new(self) -> OKPKey:
        key = OKPKey.generate_key("Ed25519")
        with os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb"
        ) as file:
            file.write(key.as_pem(private=True))
        self.public.write_bytes(key.as_pem(private=False))
        return key
