"""Charts as plain dictionaries: pure functions, themed by the style sheet through trace ids."""
