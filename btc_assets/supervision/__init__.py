"""Long-lived processes on one machine: start them, tell them apart, and leave none behind."""
