"""The kinds of data store that can be told of a decision, behind one small interface."""
