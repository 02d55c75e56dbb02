"""What runs without anyone asking: the daily job, its schedule, and the sensors that heal gaps."""
