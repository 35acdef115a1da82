"""What people read about a bundle."""
