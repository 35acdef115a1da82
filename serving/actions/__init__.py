"""Actions: ten typed forms, simulated, applied and undone under policy, their effects sent from an outbox."""
