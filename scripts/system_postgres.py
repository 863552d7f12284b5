"""Print the folder of the system's own PostgreSQL programs, or say what to install and fail."""

from __future__ import annotations

import sys

from database.embedded import available_binaries

found = [binaries for binaries in available_binaries() if binaries.name == "system"]
if not found:
    sys.exit("The system's own PostgreSQL is missing. Debian, as root: apt-get install postgresql")
sys.stdout.write(f"{found[0].path}\n")
