"""`workflows health`: any method of the service from the command line."""


def health() -> None:
    """To come."""
