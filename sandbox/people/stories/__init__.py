"""One function per invented person: the whole chart."""
