"""Try: what an export of unknown make holds, told without any value of it, and the mapping that it would need.

``exports`` guesses a file's format and opens its parts with the readers of ``formats``; ``profiling`` tells what kind
of values each column has; ``proposing`` proposes lines of ``columns.csv`` by names and kinds; ``against`` says what an
existing system takes of a file and what its gate refuses; ``report`` puts all of it into words. Nothing of
that is stored. ``new_folder`` makes a system of an export: the one thing here that writes.
"""

from clinic_outcomes.trying.against import SystemTrial
from clinic_outcomes.trying.new_folder import write_system
from clinic_outcomes.trying.trial import FileTrial, try_files, try_system

__all__ = ["FileTrial", "SystemTrial", "try_files", "try_system", "write_system"]
