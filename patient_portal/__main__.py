"""`python -m patient_portal` is the `portal` command."""

from __future__ import annotations

from patient_portal.cli import main

main()
