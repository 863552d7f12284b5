"""What the `portal` command can do, a file per subject."""
