"""What every request and every page passes: limits, headers, language, and the table from errors to answers."""
