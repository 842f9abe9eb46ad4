"""Why a lane refuses a call that it has not begun to serve."""


class Overloaded(Exception):
    """Too many commands wait; nothing was decided, and a retry is safe."""


class Draining(Exception):
    """The service is stopping; nothing was decided, and a retry elsewhere is safe."""


class DeadlinePassed(Exception):
    """The caller's deadline passed while the command waited; nothing was decided."""


class CallerLeft(Exception):
    """The caller went away while the command waited; nothing was decided."""
