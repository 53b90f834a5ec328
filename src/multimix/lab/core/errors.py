"""Errors, by who can do something about them: the user, or nobody."""


class UsageError(ValueError):
    """The command asks for something that cannot be done."""

    exit_code = 2


class RunFailed(RuntimeError):
    """A well-formed run did not come to a good end."""

    exit_code = 1


class FailedAlone(RunFailed):
    """An error of one process that the others do not have: it prints the message, whatever its rank."""


class Interrupted(RunFailed):
    """A run was asked to stop, and did so with its state saved; there is no result yet."""


class InterruptedByCtrlC(Interrupted):
    """It was asked so from the keyboard: the exit code says that, as it does wherever else Ctrl-C ends a program."""

    exit_code = 130


class Damaged(ValueError):
    """A file is not what it should be; the message says in what way, whoever catches it names the file."""
