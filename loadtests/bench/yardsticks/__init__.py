"""Services to measure against; each is a whole program of its own, started as a process by the benchmark."""
