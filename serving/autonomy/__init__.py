"""How actions rise and fall on the ladder of autonomy: weekly figures from the ledger, and the rule about them."""
