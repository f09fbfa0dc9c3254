"""The official A2A SDK 0.3 against agents' URLs: card, a message, a streamed message; of the first, its task.

Prints one JSON object a URL. Runs in the tests' legacy virtual environment.
"""

import asyncio
import json
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, Task, TaskQueryParams, TextPart


def message(text):
    return Message(message_id=str(uuid.uuid4()), role=Role.user, parts=[Part(root=TextPart(text=text))])


def words_of(parts):
    return [part.root.text for part in parts]


async def talk(url, with_task):
    seen = {"words": []}
    async with httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        seen["interfaces"] = [card.url]
        client = ClientFactory(ClientConfig(streaming=False, httpx_client=http)).create(card)
        async for event in client.send_message(message("hello there")):
            seen["message"] = " ".join(words_of(event.parts))
        client = ClientFactory(ClientConfig(streaming=True, httpx_client=http)).create(card)
        task = None
        async for event in client.send_message(message("one two three")):
            task, update = event
            if update is not None and update.kind == "artifact-update":
                seen["words"] += words_of(update.artifact.parts)
            elif update is not None:
                seen["state"] = update.status.state.value
        if with_task:
            found = await client.get_task(TaskQueryParams(id=task.id))
            seen["task"] = isinstance(found, Task) and found.id == task.id
    return seen


for number, url in enumerate(sys.argv[1:]):
    print(json.dumps(asyncio.run(talk(url, with_task=number == 0))))
