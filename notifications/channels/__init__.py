"""Ways to reach a person's phone, behind one small interface."""
