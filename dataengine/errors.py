"""The errors a user meets: what went wrong, where, and what to do about it.

Everything that is the user's to mend is one of these; the command line prints it as a message and exits with
`exit_code`. Any other exception is a bug and keeps its traceback.
"""


class DataEngineError(Exception):
    """Base of all errors that are shown as a message. `remedy` says what to do, in one sentence."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple:  # with two arguments it would not unpickle by itself
        return type(self), (self.message, self.remedy)


class ManifestError(DataEngineError):
    """The manifest or a configuration file is wrong: an unknown key, a bad value, a predicate that does not parse."""

    exit_code = 2


class RunError(DataEngineError):
    """The run folder cannot be used: it is locked, not writable, full, or its books do not balance."""


class StageError(DataEngineError):
    """A stage cannot work at all: a missing weight file, font, corpus, package or device. It fails the run at once."""


class SampleError(DataEngineError):
    """One sample, file, row or paragraph is bad. It goes to `failures` with this message and the run goes on."""
