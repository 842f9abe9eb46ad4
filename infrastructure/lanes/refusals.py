"""Why a lane refuses a call that it has not begun to serve, and the error if its work fails."""


class Overloaded(Exception):
    """Too many calls wait; nothing was decided, and a retry is safe."""


class ShareExceeded(Exception):
    """Too many calls of this caller wait; nothing was decided, and a retry is safe."""


class Draining(Exception):
    """The service is stopping; nothing was decided, and a retry elsewhere is safe."""


class DeadlinePassed(Exception):
    """The call's deadline passed while it waited; nothing was decided."""


class CallerLeft(Exception):
    """The call was cancelled while it waited; nothing was decided."""


class WorkFailed(Exception):
    """The work of a lane broke its contract: it panicked, or returned too few outcomes."""
