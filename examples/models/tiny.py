"""Writes the tiny model: a real GGUF file of half a megabyte with random weights, for trying and for tests.

Its answers are noise, but llama.cpp loads it in milliseconds and serves it as it serves any other:
chat, completions, streams, usage, embeddings.
"""

import os
import sys
import tempfile
from pathlib import Path

# Of the file: another one is written when this is another.
VERSION = 1
WIDTH, LAYERS, HEADS, FEED_FORWARD, CONTEXT = 64, 2, 4, 128, 4096
# The order that numpy's generator is seeded with: the same file everywhere.
SEED = 20260101
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|> {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}")


def vocabulary():
    """(piece, score, type) of each token: the three specials, the bytes, and some hundred pieces."""
    from gguf import TokenType
    tokens = [("<unk>", 0.0, TokenType.UNKNOWN), ("<s>", 0.0, TokenType.CONTROL),
              ("</s>", 0.0, TokenType.CONTROL)]
    tokens += [(f"<0x{byte:02X}>", 0.0, TokenType.BYTE) for byte in range(256)]
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    pieces = ["\u2581", *letters, *(f"\u2581{letter}" for letter in letters)]
    pieces += [a + b for a in letters[:16] for b in letters[:16]]
    tokens += [(piece, -float(rank), TokenType.NORMAL) for rank, piece in enumerate(pieces)]
    return tokens


def write(path):
    """Writes the file, whole or not at all; several processes may do so at once."""
    import gguf
    import numpy
    random = numpy.random.default_rng(SEED)
    tokens = vocabulary()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    os.close(handle)
    writer = gguf.GGUFWriter(temporary, "llama")
    describe(writer, tokens)

    def tensor(name, *shape):
        weights = random.normal(0, 0.3, shape) if len(shape) > 1 else numpy.ones(shape)
        writer.add_tensor(name, weights.astype(numpy.float32 if len(shape) == 1 else numpy.float16))

    tensor("token_embd.weight", len(tokens), WIDTH)
    tensor("output_norm.weight", WIDTH)
    tensor("output.weight", len(tokens), WIDTH)
    for layer in range(LAYERS):
        for part in ("attn_norm", "ffn_norm"):
            tensor(f"blk.{layer}.{part}.weight", WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
        for part, shape in (("ffn_gate", (FEED_FORWARD, WIDTH)), ("ffn_up", (FEED_FORWARD, WIDTH)),
                            ("ffn_down", (WIDTH, FEED_FORWARD))):
            tensor(f"blk.{layer}.{part}.weight", *shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(temporary, path)


def describe(writer, tokens):
    """What the file says of the model."""
    writer.add_name("Krypton's tiny model")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece.encode() for piece, _, _ in tokens])
    writer.add_token_scores([score for _, score, _ in tokens])
    writer.add_token_types([kind for _, _, kind in tokens])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
