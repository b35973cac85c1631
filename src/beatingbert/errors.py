"""Every failure that can be foreseen, drawn as one tree.

BeatingBertError                     exit status 1: a run that was well asked for has failed
├── UsageError                       exit status 2: what was asked for cannot be done as asked
│   ├── SettingsError                a setting is out of range or contradicts another
│   ├── UnknownNameError             no such task, engine, checkpoint or prompt
│   ├── DataError                    rows that cannot be read or are not as declared
│   │   └── DamagedRecordError       a kept run whose files are not as they were written
│   ├── PromptError                  a prompt file that does not fit its task
│   ├── CheckpointError              a reference that names no usable weights
│   ├── TooFewExamplesError          a number or a choice that so few rows cannot support
│   ├── MisalignedError              two columns that should describe the same rows do not
│   ├── RunExistsError               an output folder that already holds a finished run
│   │   └── RunBusyError             another process is working in it
│   ├── ResumeError                  there is no unfinished run to go on with, or it is another cell's
│   ├── SuiteError                   a suite file that cannot be read as one, or asks for what cannot be done
│   ├── RefusedError                 a model's server that refuses the key or a request
│   │   └── NotOfferedError          it does not know such a request at all
│   ├── MissingExtraError            a package that only some runs need is not installed
│   └── NotAvailableError            a mode that this version does not have
├── TrainingError                    a loss that is no number any more, or another process that failed
├── LeaseLostError                   a run halted for so long that another process has taken it over
├── BudgetError                      a limit on requests or money was reached before everything was answered
└── UnreachableError                 the hub, a package index or a model's server did not answer
    └── DamagedDownloadError         what arrived is not what was expected, twice

A message carries the value, the rule and the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BeatingBertError(Exception):
    """A well-asked run failed; the command exits with status 1."""

    exit_status = 1


class UsageError(BeatingBertError):
    """What was asked for cannot be done as asked; the command exits with status 2."""

    exit_status = 2


class SettingsError(UsageError):
    """A setting is out of range or contradicts another."""


class UnknownNameError(UsageError):
    """A name that no table has.

    Args:
        kind: what was looked for, e.g. "task".
        name: what was asked for.
        known: every name that would have worked, listed in the message.
        hint: where to read more, appended to the message.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        begun = [known_name for known_name in names if known_name.startswith(name)] if name else []
        close = begun or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"unknown {kind} {name!r}.{guess} Known: {', '.join(names)}.{' ' + hint if hint else ''}")


class DataError(UsageError):
    """Rows that cannot be read or are not as declared; names file, row and what was expected."""


class DamagedRecordError(DataError):
    """A kept run whose files are not as they were written: cut, or changed."""


class PromptError(UsageError):
    """A prompt file that does not fit its task."""


class CheckpointError(UsageError):
    """A reference that names no usable weights, or weights without the needed head."""


class TooFewExamplesError(UsageError):
    """So few rows cannot support the number or the choice that was asked for."""


class MisalignedError(UsageError):
    """Two columns that should describe the same rows do not."""


class RunExistsError(UsageError):
    """The output folder already holds a finished run, which is never overwritten."""


class RunBusyError(RunExistsError):
    """Another process is working in the output folder."""


class ResumeError(UsageError):
    """There is no unfinished run to go on with, or it belongs to another cell."""


class SuiteError(UsageError):
    """A suite file that cannot be read as one, or that asks for cells that cannot be done; names file and lines."""


class RefusedError(UsageError):
    """A model's server that refuses the key or a request; the message has its words, never the key."""


class NotOfferedError(RefusedError):
    """A model's server that does not know such a request, so that another way of asking may be tried."""


class MissingExtraError(UsageError):
    """A package that only some runs need is not installed; names the extra that brings it."""


class NotAvailableError(UsageError):
    """A mode that this version does not have."""


class TrainingError(BeatingBertError):
    """A training that goes wrong: a loss that is no number any more, or another process of the same run that failed."""


class LeaseLostError(BeatingBertError):
    """A run that was halted or cut off for so long that another process has taken it over."""


class BudgetError(BeatingBertError):
    """A limit on requests or money was reached before everything was answered; what was answered is kept."""


class UnreachableError(BeatingBertError):
    """The hub, a package index or a model's server did not answer, or not as its protocol says."""


class DamagedDownloadError(UnreachableError):
    """What arrived is not what was expected, and a second download was no better."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory did not suffice: Python's own error, or torch's for a GPU or the CPU, which need not be loaded."""
    no_room = "can't allocate memory" in str(error) or "not enough memory" in str(error)
    torchs = type(error).__name__ == "OutOfMemoryError"  # torch's, a RuntimeError
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and (torchs or no_room))
