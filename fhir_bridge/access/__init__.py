"""The right of access where no connection is offered: a letter, its clock, and what came (45 CFR 164.524)."""
