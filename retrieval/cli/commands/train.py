"""`turtleidx train`: networks trained on the catalogue's own photos."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from retrieval.cli import options, printing
from retrieval.cli.common import opened, pairs_on


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    train = typer.Typer(no_args_is_help=True, help="Train networks on the catalogue's own photos.")
    train.command("encoder")(encoder_command)
    train.command("matcher")(matcher_command)
    train.command("detector")(detector_command)
    app.add_typer(train, name="train")


def encoder_command(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(help="File to write, ending in .safetensors; a card goes beside it.")],
    backbone: Annotated[
        str, typer.Option(help="A timm model, or a name that `turtleidx weights` lists.")
    ] = "convnext_small.fb_in22k",
    weights: Annotated[Path | None, typer.Option(help="A local checkpoint of the backbone to start from.")] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Start untrained.")] = False,
    loss: Annotated[str, typer.Option(help="circle, triplet or arcface.")] = "circle",
    epochs: Annotated[int, typer.Option(min=1, help="Rounds at most.")] = 40,
    patience: Annotated[int, typer.Option(min=1, help="Rounds without a gain before it stops.")] = 6,
    batch: Annotated[int, typer.Option(min=8, help="Photos of a batch.")] = 64,
    size: Annotated[int, typer.Option(min=64, help="Width and height in pixels that the network sees.")] = 224,
    seed: Annotated[int, typer.Option(help="Of batches and augmentations.")] = 0,
) -> None:
    """Metric learning of a global encoder; use the file with --encoder, or `evaluate --against encoder:FILE`."""
    try:
        from retrieval.training import EncoderTraining, EpochReport, MetricLoss, train_encoder
    except ModuleNotFoundError as error:
        printing.say(f"Training needs the package {error.name}: `pip install 'turtleidx[train]'`.")
        raise typer.Exit(1) from error
    if loss not in list(MetricLoss):
        raise typer.BadParameter(f"--loss {loss} is none of {', '.join(MetricLoss)}.")
    common: options.Common = context.obj
    chosen = EncoderTraining(
        model=backbone,
        weights=weights,
        from_scratch=from_scratch,
        loss=MetricLoss(loss),
        epochs=epochs,
        patience=patience,
        batch=batch,
        size=size,
        seed=seed,
        device=common.device,
    )

    def tell(report: EpochReport) -> None:
        found = f"held-out turtles: top-1 {report.top1:.3f}, reciprocal rank {report.reciprocal_rank:.3f}"
        printing.say(f"round {report.epoch}: loss {report.loss:.3f}, {found}" if report.epoch else f"start: {found}")

    trained = train_encoder(opened(context), target, chosen, printing.say, tell)
    best, start = trained.best, trained.start
    printing.out.print(
        f"{target}: round {best.epoch} of {trained.epochs}, trained on {trained.photos} photos of {trained.turtles} "
        f"turtles; {trained.held_out} held-out turtles are found first by {best.top1:.1%} of their photos "
        f"({start.top1:.1%} before)."
    )
    if not trained.gained:
        printing.say("Training gained nothing on turtles that it did not see: the file is the network as it began.")


def matcher_command(
    context: typer.Context,
    start: Annotated[
        str, typer.Option(help="LightGlue weights to start from: a name that `turtleidx weights` lists, or a file.")
    ] = "turtle-sift",
    loss: Annotated[str, typer.Option(help="triplet or correspondence.")] = "triplet",
    epochs: Annotated[int, typer.Option(min=1, help="Rounds at most.")] = 12,
    patience: Annotated[int, typer.Option(min=1, help="Rounds without a gain before it stops.")] = 3,
    negatives: Annotated[int, typer.Option(min=1, help="Pairs of two turtles beside each pair of one.")] = 3,
    seed: Annotated[int, typer.Option(help="Of pairs.")] = 0,
    cluster: options.Cluster = None,
) -> None:
    """Adapt the matching network to the catalogue's own photos; kept in its folder if held-out turtles gain by it."""
    from retrieval.training import MatcherRound, MatcherTraining, PairLoss, train_matcher

    if loss not in list(PairLoss):
        raise typer.BadParameter(f"--loss {loss} is none of {', '.join(PairLoss)}.")
    common: options.Common = context.obj
    chosen = MatcherTraining(
        start=start,
        loss=PairLoss(loss),
        epochs=epochs,
        patience=patience,
        negatives=negatives,
        seed=seed,
        device=common.device,
    )

    def tell(one: MatcherRound) -> None:
        found = f"held-out turtles: top-1 {one.top1:.3f}, reciprocal rank {one.reciprocal_rank:.3f}"
        printing.say(f"round {one.epoch}: loss {one.loss:.3f}, {found}" if one.epoch else f"start: {found}")

    with pairs_on(cluster) as pool:
        trained = train_matcher(opened(context), chosen, printing.say, tell, pool)
    best, before = trained.best, trained.start
    printing.out.print(
        f"Round {best.epoch} of {trained.epochs}, trained on {trained.photos} photos of {trained.turtles} turtles: "
        f"{trained.held_out} held-out turtles are found first by {best.top1:.1%} of their photos ({before.top1:.1%} "
        f"before); reciprocal rank {trained.gain:+.3f}, standard error {trained.error:.3f}."
    )
    if trained.path is None:
        printing.say("That is no more than chance gives, so that nothing was kept.")
    else:
        printing.say(f"next: `turtleidx fit --matcher {trained.path}+views`, and the same --matcher with every command")


def detector_command(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Of batches and folds.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Teach the head finder the boxes that people gave or drew, and set its threshold; kept only if it is better."""
    from retrieval.training import train_detector  # torch takes seconds to import

    common: options.Common = context.obj
    with printing.progress_bar("learning", None) as advance:
        done = train_detector(opened(context), common.who, common.device, seed, advance)
    if as_json:
        printing.print_json(asdict(done) | {"path": str(done.path)})
        return
    kept = "the new networks are in use" if done.replaced else "no more than chance, so the networks stay as they were"
    printing.out.print(
        f"{done.boxes} boxes of {done.turtles} turtles: {done.found_after:.1%} of heads found on turtles that were not "
        f"learnt from ({done.found_before:.1%} before; a gain of {done.gain:.1%} with an error of {done.error:.1%}): "
        f"{kept}."
    )
    promise = (
        "of those at most 5 % miss, and four of five such promises hold for turtles that come"
        if done.certified
        else "not certified, because there are too few turtles or too many misses"
    )
    printing.out.print(f"{done.accepted:.0%} of these heads are over the threshold: {promise}.")
