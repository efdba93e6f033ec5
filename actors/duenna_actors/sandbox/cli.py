"""`duenna sandbox`: the exchange on its own."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna.cli import Subparsers
    from duenna_actors.sandbox import Sandbox
    from duenna_actors.sandbox.schedule import FaultChanged, Scheduled

_DEFAULT_PORT = 8_070
_FAILED = 1


def register(subparsers: "Subparsers") -> None:
    """Add the verb `sandbox`."""
    parser = subparsers.add_parser(
        "sandbox",
        help="run a local exchange to test bots against",
        description="Run a local exchange with the shapes of Binance USD-M futures, and with faults to order. "
        "Nothing is protected: leave it on this machine. Ends with Ctrl-C or SIGTERM.",
    )
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, help="0 for any that is free (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same prices (default: %(default)s)")
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT", help="contracts, by comma (default: %(default)s)")
    parser.add_argument("--schedule", type=Path, metavar="FILE", help="faults that come by themselves, as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the sandbox until Ctrl-C or SIGTERM, and return the exit status."""
    # The rest of the package is imported only here: `duenna --help` does not wait for trio.
    import trio  # noqa: PLC0415

    from duenna_actors.sandbox.schedule import parse_schedule  # noqa: PLC0415

    schedule: list[Scheduled] = []
    try:
        if arguments.schedule is not None:
            schedule = parse_schedule(arguments.schedule.read_bytes())
        _until_interrupted(lambda: trio.run(_serve, arguments, schedule))
    except (OSError, ValueError) as error:
        print(f"duenna sandbox: {error}", file=sys.stderr)
        return _FAILED
    return 0


def _until_interrupted(serve: Callable[[], None]) -> None:
    try:
        serve()
    except* KeyboardInterrupt:  # alone or in a group, as the nurseries will have it
        pass


async def _serve(arguments: argparse.Namespace, schedule: list["Scheduled"]) -> None:
    import trio  # noqa: PLC0415

    from duenna_actors.sandbox import open_sandbox  # noqa: PLC0415

    printer = _FaultPrinter()
    with trio.open_signal_receiver(signal.SIGTERM) as terminated:
        async with open_sandbox(
            symbols=[name for name in arguments.symbols.split(",") if name],
            seed=arguments.seed,
            host=arguments.host,
            port=arguments.port,
            schedule=schedule,
            on_fault=printer,
        ) as sandbox:
            _print_address(sandbox)
            printer.begin()
            async for _ in terminated:
                return


class _FaultPrinter:
    """Prints faults as they happen, the first ones not before the address is printed."""

    def __init__(self) -> None:
        self._held: list[FaultChanged] | None = []

    def __call__(self, change: "FaultChanged") -> None:
        if self._held is None:
            _print_fault(change)
        else:
            self._held.append(change)

    def begin(self) -> None:
        held, self._held = self._held or [], None
        for change in held:
            _print_fault(change)


def _print_address(sandbox: "Sandbox") -> None:
    rules = sandbox.settings
    print(f"REST        {sandbox.url}/fapi/v1/...")
    print(f"websockets  {sandbox.ws_url}/public, /market, /private")
    print(f"symbols     {', '.join(sandbox.symbols)}")
    print(f"key         {rules.api_key}, secret {rules.api_secret}")
    print(f"control     {sandbox.url}/sandbox/faults, /sandbox/state", flush=True)


def _print_fault(change: "FaultChanged") -> None:
    import msgspec  # noqa: PLC0415

    fields = msgspec.to_builtins(change.fault)
    kind = fields.pop("kind")
    told = ", ".join(f"{name}={value}" for name, value in fields.items() if value not in ("*", None, "", 1.0))
    lasts = f" for {change.duration:g} s" if change.duration is not None else ""
    print(f"{change.at:9.3f} s  {kind} {change.change}{lasts}" + (f": {told}" if told else ""), flush=True)
