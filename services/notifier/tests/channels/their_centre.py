"""A message centre out of another implementation of SMPP, as a process of its own.

`their_centre.py PORT STATUS...` answers the first submits with the statuses, takes the others,
reports those that ask for it, and writes a line of JSON for each it takes. It ends with its input.

Its threads may still run when an interpreter ends, which aborts that; here nobody minds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import smpp34


async def serve(port: int, statuses: list[int]) -> None:
    """Answer for ever."""
    server = smpp34.Server(host="127.0.0.1", port=port, system_id="theirs")
    await server.start()
    say({"ready": port})
    esme: smpp34.Esme | None = None
    taken = 0
    while True:
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            esme = event
        elif isinstance(event, smpp34.SubmitSmEvent):
            if status := statuses.pop(0) if statuses else 0:
                event.reject(status)
                continue
            taken += 1
            event.accept(f"id-{taken}")
            say(seen(event))
            if esme is not None and event.registered_delivery:
                text = f"id:id-{taken} sub:001 dlvrd:001 stat:DELIVRD err:000 text:".encode()
                await esme.deliver_sm("SALDO", text, source_addr="7916", esm_class=4)


def seen(event: smpp34.SubmitSmEvent) -> dict[str, object]:
    """Return what they have read."""
    return {
        "source": event.source_addr,
        "destination": event.destination_addr,
        "coding": event.data_coding,
        "text": event.short_message.hex(),
        "options": {str(each.tag): each.value.hex() for each in event.tlvs},
    }


def say(what: dict[str, object]) -> None:
    """Write a line."""
    print(json.dumps(what), flush=True)


async def main() -> None:
    """Serve until the input ends."""
    port, *statuses = (int(given) for given in sys.argv[1:])
    serving = asyncio.create_task(serve(port, statuses))
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
