"""Asset checks: what must hold of stored data; the blocking ones stop bad data from going further."""
