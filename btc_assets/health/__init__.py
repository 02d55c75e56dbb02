"""What an operator must know: which days are there and what is broken, in one form for all that say so."""
