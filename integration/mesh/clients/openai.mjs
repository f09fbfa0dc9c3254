// npm's openai against a gateway: openai.mjs BASE_URL FOLDER_OF_NODE_MODULES. Prints what it found, as JSON.
import { createRequire } from "node:module";
import path from "node:path";

const [baseURL, folder] = process.argv.slice(2);
const OpenAI = createRequire(path.join(folder, "x.js"))("openai");
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, timeout: 30000 });
const messages = [{ role: "user", content: "Hello" }];
const found = {};

async function refusal(call) {
  try {
    await call();
    return "none";
  } catch (error) {
    return [error.constructor.name, error.code].filter((word) => typeof word === "string" && word).join(" ");
  }
}

const chat = await client.chat.completions.create({ model: "tiny", messages, max_tokens: 4 });
found.chat = chat.object === "chat.completion" && chat.usage.completion_tokens <= 4;
const chunks = [];
const stream = await client.chat.completions.create({
  model: "tiny", messages, max_tokens: 4, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) chunks.push(chunk);
found.stream = chunks.length > 2 && chunks.every((chunk) => chunk.id === chunks[0].id);
found.usage = chunks.at(-1).usage.completion_tokens <= 4 && chunks.at(-1).choices.length === 0;
found.embeddings = (await client.embeddings.create({ model: "embed", input: "one" })).data[0].embedding.length;
const listed = [];
for await (const model of client.models.list()) listed.push(model.id);
found.listed = listed.includes("tiny") && (await client.models.retrieve("default/tiny")).object === "model";
found.unknown = await refusal(() => client.chat.completions.create({ model: "nobody", messages }));
found.wrong = await refusal(() => client.chat.completions.create({ model: "tiny", messages: "none" }));
found.unsupported = await refusal(() => client.embeddings.create({ model: "tiny", input: "one" }));
console.log(JSON.stringify(found));
