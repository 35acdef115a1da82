"""Models against yardsticks and against known truth; nothing imports this package."""
