"""Triggers and playbooks: rules that start a workflow on an account without a person, within the ladder of autonomy.

Pure: `document` is the YAML as people write it, `compiled` makes it run, `planning` says what is due, `choice` what a
step comes to. `records` keeps workflows in the ledger, `steps` carries one step out, `runner` goes over accounts.
"""
