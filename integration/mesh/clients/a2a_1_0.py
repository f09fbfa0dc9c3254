"""The official A2A SDK 1.x against agents' URLs: card, a message, a streamed message; of the first, its task.

Prints one JSON object a URL. Runs in the tests' main virtual environment.
"""

import asyncio
import json
import sys

import httpx
from a2a.client import ClientConfig, create_client
from a2a.helpers import get_message_text, new_text_message
from a2a.types import GetTaskRequest, Role, SendMessageRequest


def request(text):
    return SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))


async def talk(url, with_task):
    seen = {"words": []}
    async with httpx.AsyncClient(timeout=60) as http:
        client = await create_client(url, ClientConfig(streaming=False, httpx_client=http))
        seen["interfaces"] = [i.url for i in client._card.supported_interfaces]
        async for event in client.send_message(request("hello there")):
            seen["message"] = get_message_text(event.message)
        client = await create_client(url, ClientConfig(streaming=True, httpx_client=http))
        task = None
        async for event in client.send_message(request("one two three")):
            kind = event.WhichOneof("payload")
            if kind == "task":
                task = event.task.id
            elif kind == "artifact_update":
                seen["words"] += [part.text for part in event.artifact_update.artifact.parts]
            elif kind == "status_update":
                seen["state"] = event.status_update.status.state
        if with_task:
            seen["task"] = (await client.get_task(GetTaskRequest(id=task))).id == task
    return seen


for number, url in enumerate(sys.argv[1:]):
    print(json.dumps(asyncio.run(talk(url, with_task=number == 0))))
