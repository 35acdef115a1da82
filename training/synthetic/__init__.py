"""The seeded synthetic world and its truth."""
