"""What every benchmark shares: probes, interleaved arms, goals, a throw-away PostgreSQL, a load driver."""
