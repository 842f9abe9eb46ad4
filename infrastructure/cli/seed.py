"""`workflows seed`: any method of the service from the command line."""


def seed() -> None:
    """To come."""
