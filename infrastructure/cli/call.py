"""`workflows call`: any method of the service from the command line."""


def call() -> None:
    """To come."""
