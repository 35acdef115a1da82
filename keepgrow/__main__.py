"""`keepgrow COMMAND`: finds the one module of the command and imports nothing else; help is instant."""

from __future__ import annotations

import sys
from importlib import import_module

import typer
from rich.console import Console

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("keepgrow.up:up", "Make what is missing, then serve: data, features, store, model, service."),
    "check": ("keepgrow.check:check", "Check a data folder against the raw-table contract; writes nothing."),
    "import": ("keepgrow.import_:import_", "Turn a known public data set into raw tables."),
    "synth": ("keepgrow.synth:synth", "Make a synthetic world: raw tables, and the truth beside them."),
    "features": ("keepgrow.features:features_app", "Build and list daily features."),
    "sentiment": ("keepgrow.sentiment:sentiment_app", "Train and evaluate the scorer of ticket text."),
    "apply": ("keepgrow.apply:apply", "Register the feature definitions with Feast."),
    "materialize": ("keepgrow.materialize:materialize", "Bring features to the online store up to a time."),
    "push": ("keepgrow.push:push", "Push fresh feature rows to the online store."),
    "contract": ("keepgrow.contract:contract", "Print the feature contract of a feature service."),
    "train": ("keepgrow.train:train", "Train, evaluate, export and store a bundle."),
    "models": ("keepgrow.models:models_app", "List and show bundles in the model store."),
    "promote": ("keepgrow.promote:promote", "Make a bundle the champion, if every gate lets it."),
    "monitor": ("keepgrow.monitor:monitor", "Tell drift and expected performance before labels are known."),
    "retrain": ("keepgrow.retrain:retrain", "Train again if that is due, and ask the gates."),
    "policy": ("keepgrow.policy:policy_app", "Check, test and compare policies; explain a past decision."),
    "ledger": ("keepgrow.ledger:ledger_app", "Verify, export and prune the ledger of decisions."),
    "catalogue": ("keepgrow.catalogue:catalogue_app", "Check a catalogue for what contradicts itself."),
    "verification": (
        "keepgrow.verification:verification_app",
        "Check and list the rules that predictions are verified by.",
    ),
    "caps": ("keepgrow.caps:caps_app", "Look at what is used of caps; count it again from the ledger."),
    "ladder": ("keepgrow.ladder:ladder_app", "How far actions may go without a person; promote and demote."),
    "triggers": ("keepgrow.triggers:triggers_app", "Rules that start workflows: check, test and run them."),
    "outbox": ("keepgrow.outbox:outbox_app", "Look at, send and repeat the effects of actions."),
    "replay": ("keepgrow.replay:replay", "Decide a past decision again and compare byte for byte."),
    "forget": ("keepgrow.forget:forget", "Empty all that the ledger says of an account."),
    "score": ("keepgrow.score:score", "Score all accounts from the offline features into Parquet."),
    "bento": ("keepgrow.bento:bento", "Build the bento and check that it answers."),
    "settings": ("keepgrow.settings:settings", "Print every setting, its value and where it came from."),
}


def _unloaded() -> None:
    """Stand in the list of commands for one that this call did not ask for."""


def build_app(requested: str | None) -> typer.Typer:
    """Return the command line with only the *requested* command imported; the others lend their help line."""
    app = typer.Typer(
        name="keepgrow",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Churn risk, upsell probability and the one action worth taking now, for every customer account.",
    )
    for name, (target, summary) in COMMANDS.items():
        if name != requested:
            app.command(name, help=summary)(_unloaded)
            continue
        module, _, attribute = target.partition(":")
        loaded = getattr(import_module(module), attribute)
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=name, help=summary)
        else:
            app.command(name)(loaded)
    return app


def main() -> None:
    """Run the command line; an expected failure is one sentence on standard error and exit code 2."""
    requested = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    from feature_repo.errors import FeatureRepoError
    from serving.errors import ServingError
    from training.errors import TrainingError

    try:
        build_app(requested)()
    except (FeatureRepoError, ServingError, TrainingError) as error:
        Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
