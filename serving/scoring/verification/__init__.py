"""Checks by rule of what the models say: predictions that contradict what is known of the account are not acted on."""
