"""What the pages and programs about decisions need, composed from several rooms."""
